"""The terminal table: right numbers, no name cut, 80 columns."""

import io
from collections.abc import Callable
from dataclasses import replace

from rich.console import Console

from emulator.reports.page.page import html
from emulator.reports.run_report import Study
from emulator.reports.terminal import fastest, method_lines, table
from emulator.results.bottlenecks import RoundBottleneck
from emulator.simulation.records import Emulation

Studies = Callable[..., Study]

METHODS = {
    "LoRA": 0.1,
    "FLASC 1/4 down, 1/4 up": 0.09,
    "FLASC 1/4 down, 1/16 up": 0.08,
    "FLASC 1/16 down, 1/64 up, [bold]lr[/bold] 0.01": 0.07,
    "Sparse adapters": 0.06,
    "Federated select": 0.055,
    "HetLoRA": 0.05,
    "Head only": 0.04,
}
VARIANTS = {"1x": 1, "4x": 400, "16x": 1600}


def shown(study: Study, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(table(study))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_eight_methods_and_three_variants_fit_in_80_columns(study_of: Studies) -> None:
    text = shown(study_of(METHODS, VARIANTS))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for method in METHODS:
        words = iter(text.split())
        assert all(word in words for word in method.split()), "wrapped, in order, not cut"


def test_one_line_a_method_holds_its_numbers(study_of: Studies) -> None:
    text = shown(study_of({"LoRA": 0.1, "Head only": 0.04}, VARIANTS))
    lora = next(line for line in text.splitlines() if line.startswith("LoRA"))
    assert " ".join(lora.split()) == "LoRA 20.0 s 33 min 35 s 2 h 13 min 5 20 kB 1.000"
    never = next(line for line in text.splitlines() if line.startswith("Head only"))
    assert " ".join(never.split()) == "Head only never never never never never 0.400"
    assert "accuracy 0.50" in text
    assert "first 1000 of 2259 examples" in " ".join(text.split())
    assert "Incomplete" not in text


def test_what_the_scenario_left_unsaid_is_told_once(study_of: Studies) -> None:
    told = "RTT 0 ms (not given): handshakes take no time\x1b"
    study = study_of({"A": 0.1}, {"x": 1}, remark=told)
    assert (
        " ".join(shown(study).split()).count(
            "(not given): handshakes take no time\N{REPLACEMENT CHARACTER}."
        )
        == 1
    )
    assert html(study).count("(not given)") == 1
    assert "not given" not in shown(study_of({"A": 0.1}, {"x": 1}))


def test_seeds_show_their_range(study_of: Studies) -> None:
    text = shown(study_of({"A": 0.1, "B": 0.02}, {"x": 1}, seeds=(0, 1, 2)))
    lines = text[text.index("\nA ") :].splitlines()[1:4]
    for line, cell in zip(lines, ("25.0 s", "20.0 s –", "30.0 s"), strict=True):
        assert cell in line


def test_what_a_variant_changes_stands_in_its_cell(study_of: Studies) -> None:
    same = study_of({"A": 0.1}, {"x": 1, "y": 2})
    assert "5 rounds" not in shown(same)
    faster = replace(same.outcomes[1], rounds_to_target=3, bytes_down_to_target=12_000)
    text = shown(replace(same, outcomes=(same.outcomes[0], faster)))
    assert "5 rounds" in text
    assert "3 rounds" in text
    assert "20 kB / 5 kB" in text
    assert "12 kB / 5 kB" in text


def test_seeds_that_never_get_there_are_counted(study_of: Studies) -> None:
    study = study_of({"A": 0.1}, {"x": 1}, seeds=(0, 1, 2))
    never = replace(study.outcomes[2], time_to_target_s=None)
    text = shown(replace(study, outcomes=(*study.outcomes[:2], never)))
    assert "(2 of 3)" in text
    assert "never" in text


def test_it_says_of_which_simulations_shares_and_times_are(study_of: Studies) -> None:
    def told(methods: dict[str, float], seeds: tuple[int, ...]) -> str:
        study = study_of(methods, {"x": 1}, seeds=seeds)
        slow = {e: (RoundBottleneck(1, 5, "client up", 4.0),) for e in study.curves}
        return " ".join(shown(replace(study, bottlenecks=slow)).split())

    together = "x: rounds waited for client up 100%. These shares are of all methods and seeds"
    one = told({"A": 0.1}, (0,))
    assert "Simulated time to accuracy 0.50, one seed;" in one
    assert "x: rounds waited for client up 100%." in one
    assert together not in one
    several = told({"A": 0.1, "B": 0.1}, (0, 1))
    assert "median and range of 2 seeds;" in several
    assert "Compared with A by time, over 2 seeds: no difference is shown at 5 %." in several
    assert together in several


def test_without_a_target_the_times_are_of_the_run(study_of: Studies) -> None:
    text = shown(study_of({"A": 0.04}, {"x": 1}, target=None))
    assert "never" not in text
    assert "40.0 s" in text
    assert "time to the end of the run" in text


def test_one_round_is_one_and_a_test_is_named_where_there_was_one(study_of: Studies) -> None:
    study = study_of({"A": 0.5}, {"x": 1, "y": 2})
    first = replace(study.outcomes[0], rounds_to_target=2)
    assert "1 round " in shown(replace(study, outcomes=(first, study.outcomes[1])))
    assert ", 1 round, " in method_lines([study.summary("A", "x")])[1]
    untested = tuple(replace(o, test_accuracy=None) for o in study.outcomes)
    assert "validation / test" in " ".join(shown(study).split())
    assert "/ test" not in shown(replace(study, outcomes=untested))


def test_a_cut_off_run_says_so(study_of: Studies) -> None:
    absent = [Emulation("B", "y", 0)]
    text = shown(study_of({"A": 0.1, "B": 0.1}, {"x": 1, "y": 2}, absent=absent))
    assert "1 of 4 simulations are missing" in " ".join(text.split())
    assert "missing" in next(line for line in text.splitlines() if line.startswith("B"))
    assert "was interrupted: run the same command to resume it." in " ".join(text.split())


def test_a_run_that_failed_says_why_and_not_to_run_it_again(study_of: Studies) -> None:
    why = "not finished: target 0.90 was not reached: best 0.526. Hint: train it"
    lacking = {"absent": [Emulation("B", "y", 0)], "failure": why}
    text = " ".join(shown(study_of({"A": 0.1, "B": 0.1}, {"x": 1, "y": 2}, **lacking)).split())
    assert f"seed 0. N{why[1:]}." in text
    assert "run the same command" not in text


def test_a_simulation_that_ended_early_is_not_just_never(study_of: Studies) -> None:
    """It has rows, so none is missing, and its time is 'never'."""
    why = "not finished: B: given up after 12.3 s"
    text = " ".join(shown(study_of({"A": 0.1, "B": 0.01}, {"x": 1}, failure=why)).split())
    assert text.endswith("Not finished: B: given up after 12.3 s.")


def test_the_fastest_of_a_column_is_bold_and_never_is_not(study_of: Studies) -> None:
    study = study_of({"A": 0.1, "B": 0.2, "C": 0.01}, {"x": 1})
    assert fastest(study, "x") == {"B"}
    assert fastest(study_of({"A": 0.01}, {"x": 1}), "x") == set()
    assert fastest(study_of({"A": 0.1, "B": 0.1}, {"x": 1}), "x") == {"A", "B"}
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    console.print(table(study))
    assert isinstance(console.file, io.StringIO)
    bold = [line for line in console.file.getvalue().splitlines() if "\x1b[1m12.0 s" in line]
    assert len(bold) == 1


def test_lines_of_one_method_as_plain_text(study_of: Studies) -> None:
    study = study_of({"A": 0.1, "B": 0.04}, {"x": 1, "long": 16})
    lines = {m: method_lines([study.summary(m, v) for v in study.variants]) for m in "AB"}
    assert lines["A"] == [
        "A",
        "  x     20.0 s, 5 rounds, 20 kB down, 5 kB up, accuracy 1.000 / 0.990",
        "  long  95.0 s, 5 rounds, 20 kB down, 5 kB up, accuracy 1.000 / 0.990",
    ]
    assert lines["B"][1] == "  x     never reached 0.50, accuracy 0.400 / 0.390"


def test_variants_that_do_not_fit_are_rows(study_of: Studies) -> None:
    """A column per variant was one letter wide for 24 of them."""
    variants = {f"{n} Mbps up, 40 ms of RTT": n for n in range(1, 25)}
    study = study_of(METHODS, variants)
    lines = shown(study).splitlines()
    assert max(map(len, lines)) <= 80
    for number in variants.values():
        start = lines.index(next(line for line in lines if line.startswith(f"{number} Mbps up")))
        here = " ".join(lines[start : start + 24])
        assert "LoRA" in here
        assert "Head only" in here
    assert sum(line.split()[:1] == ["LoRA"] for line in lines) == 24
    assert not [line for line in lines if line.strip() and max(map(len, line.split())) == 1]


def test_a_wide_screen_has_a_column_per_variant(study_of: Studies) -> None:
    study = study_of({"LoRA": 0.1}, {f"{n}x": n for n in range(1, 25)})
    text = shown(study, width=400)
    (header,) = (line for line in text.splitlines() if line.startswith("method"))
    assert header.split()[1:25] == [f"{n}x" for n in range(1, 25)]
    assert all(header not in line for line in shown(study).splitlines())


def test_a_turned_table_says_what_is_missing_and_never_reached(study_of: Studies) -> None:
    variants = {f"{n} Mbps upload": n for n in range(1, 13)}
    study = study_of({"LoRA": 0.1, "Head only": 0.04}, variants)
    never = next(line for line in shown(study).splitlines() if line.startswith("  Head only"))
    assert "never" in never
    outcomes = [o for o in study.outcomes if o.variant != "2 Mbps upload" or o.method != "LoRA"]
    lines = shown(replace(study, outcomes=outcomes)).splitlines()
    assert sum(line.split() == ["LoRA", "missing"] for line in lines) == 1
