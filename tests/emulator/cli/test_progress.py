"""What a person sees while a run goes on."""

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from emulator.cli import progress
from emulator.cli.progress import Display, Json, Live, Plain, display, titles
from emulator.runner import inputs, printed_progress
from emulator.runner.events import Note, Simulated, TrainingProgress

PAGE = Path(__file__).parents[3] / "docs/reference/progress_events.md"


@pytest.fixture
def clock(monkeypatch):
    """A wall clock that the test moves."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def trainings(scenario):
    return inputs.read(scenario()).trainings()


@pytest.fixture
def plain(trainings, clock):
    out = io.StringIO()
    display = Plain(Console(file=out, width=80), trainings, workers=2)
    return display, out


def at(training, number, trained=None, **more):
    moved = {"bytes_down": 1_500_000 * number, "bytes_up": 300_000 * number}
    trained = number if trained is None else trained
    return progress_of(training, number, 4, 0.5 * number, 0.25, trained, **moved, **more)


def progress_of(training, number, rounds, clock_s, accuracy, trained, **more):
    return TrainingProgress(
        training,
        round=number,
        rounds=rounds,
        clock_s=clock_s,
        accuracy=accuracy,
        scored_round=more.pop("scored_round", number),
        trained=trained,
        **more,
    )


def test_plain_lines_come_at_most_every_ten_seconds_a_training(plain, clock):
    display, out = plain
    with display:
        display.show(at(0, 1))
        clock.now += 9
        display.show(at(0, 2))
        display.show(at(1, 1))
        clock.now += 2
        display.show(at(0, 3))
    lines = out.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "LoRA: round 1/4", "head: round 1/4", "LoRA: round 3/4"
    ]  # fmt: skip
    assert lines[0] == ("LoRA: round 1/4, accuracy 0.250, simulated 500 ms, 1.5 MB down, 300 kB up")


def test_a_score_of_an_earlier_round_is_shown_with_its_round(plain, clock):
    display, out = plain
    display.show(at(0, 3, scored_round=2))
    display.show(progress_of(1, 1, 4, 0.5, None, 1, scored_round=None))
    first, second = out.getvalue().splitlines()
    assert first.startswith("LoRA: round 3/4, accuracy 0.250 after round 2, simulated")
    assert second.startswith("head: round 1/4, simulated")


def test_a_score_on_test_is_not_shown_as_one_on_validation(plain):
    display, out = plain
    display.show(at(0, 3, split="test"))
    assert out.getvalue() == ""


def test_what_is_only_replayed_says_nothing(plain):
    display, out = plain
    for number in range(1, 5):
        display.show(at(0, number, trained=0))
    assert out.getvalue() == ""


def test_replays_are_one_line_together_and_all_events_in_json(plain, trainings, clock):
    display, out = plain
    with display:
        display.end(0, lambda: pytest.fail("computed and not shown"), replayed=True)
        display.end(1, lambda: ["head", "  fast  1 s"])
        display.end(2, lambda: pytest.fail("computed and not shown"), replayed=True)
    assert out.getvalue() == ("head\n  fast  1 s\nreplayed from recordings: 2 of 3 trainings\n")
    out = io.StringIO()
    with Json(Console(file=out), trainings, workers=1) as told:
        told.end(0, lambda: ["LoRA", "  fast  2 s"], replayed=True)
    (event,) = map(json.loads, out.getvalue().splitlines())
    assert (event["event"], event["text"]) == ("done", "LoRA\n  fast  2 s")


def test_time_left_is_rounds_to_do_at_the_pace_seen(plain, clock):
    display, _ = plain
    clock.now += 500  # loading; no part of the pace
    display.show(at(0, 1))
    display.show(at(1, 1))
    clock.now += 20
    display.show(at(1, 2))
    display.show(at(0, 2))
    # The pace: from the first round seen, three in 20 s by two workers. To do: 8 rounds.
    round_s = 2 * 20 / 3
    assert display._left_s() == pytest.approx(round_s * 8 / 2)
    display.end(0)
    display.end(1)
    # Only the third training is left, 4 rounds that one worker has to do alone.
    assert display._left_s() == pytest.approx(round_s * 4)
    display.end(2)
    assert display._left_s() is None


def test_replays_for_other_variants_do_not_lengthen_the_time_left(plain, clock):
    display, _ = plain
    display.show(at(0, 1))
    clock.now += 10
    display.show(at(0, 4))
    before = display._left_s()
    display.show(at(0, 1, trained=4))
    assert display._left_s() == before


def test_notes_and_names_are_shown_as_they_are_but_for_control_characters(scenario, clock):
    path = scenario()
    path.write_text(path.read_text().replace("  head:", '  "[red]x[/red] \\e[31m\\a":'))
    out = io.StringIO()
    display = Plain(Console(file=out, width=80), inputs.read(path).trainings(), 1)
    display.show(Note(1, "fetching [bold]things[/bold]\x1b[2J"))
    assert out.getvalue() == ("[red]x[/red] \\x1b[31m\\x07: fetching [bold]things[/bold]\\x1b[2J\n")


def test_live_view_keeps_a_line_a_training_within_80_columns(scenario, clock):
    path = scenario()
    path.write_text(path.read_text().replace("  head:", f"  {'long ' * 30}:"))
    found = inputs.read(path).trainings()
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    display = Live(console, found, workers=2)
    with display:
        display.show(Note(0, "loading data and model"))
        long = {"bytes_down": 10**9, "bytes_up": 10**6, "scored_round": 1199}
        display.show(progress_of(1, 1200, 1200, 7000.0, 0.123, 1, **long))
        clock.now += 400
        display.show(progress_of(0, 2, 4, 370_000.0, 0.123, 2, bytes_down=1, bytes_up=0))
        shown = [str(task.description).strip() for task in display._bars.tasks]
        console.print(display._bars.get_renderable())
        display.end(0)
        display.say("LoRA is done")
    assert shown[0].startswith("all, ")
    assert shown[0].endswith(" left")
    assert shown[1:] == ["LoRA", "long long long long l…"]
    text = re.sub(r"\x1b\[[0-9?]*[A-Za-z]", "\r", out.getvalue())
    rows = [line.rstrip() for line in text.replace("\r", "\n").splitlines()]
    assert "LoRA is done" in rows
    header = next(row for row in rows if "simulated" in row)
    assert header.split()[-5:] == ["round", "accuracy", "simulated", "down", "up"]
    for end in (
        "1200/1200  (0.123)   1 h 56 min    1 GB    1 MB",
        "      2/4    0.123 102 h 46 min     1 B     0 B",
    ):
        row = next(row for row in rows if row.endswith(end))
        assert len(row) == len(header) < 80


# -- for programs


@pytest.fixture
def events(trainings, clock):
    """A display of JSON lines, and what it has said so far."""
    out = io.StringIO()
    display = Json(Console(file=out, width=20), trainings, workers=1)
    return display, lambda: [json.loads(line) for line in out.getvalue().splitlines()]


def test_each_event_is_a_json_object_on_a_line(events, clock):
    display, said = events
    with display:
        display.say("waiting for\nthe other")
        display.show(Note(0, "loading data and model"))
        display.show(at(0, 1, variant="slow"))
        clock.now += 10
        display.show(at(0, 2, variant="slow", split="validation"))
        display.end(0, lambda: ["LoRA", "  fast  3 s"])
        display.fail(1, lambda: ["head: the disk is full"])
    whose = {"training": 0, "method": "LoRA", "seed": 0}
    rows = said()
    assert rows[0] == {"event": "note", "text": "waiting for\nthe other"}
    assert rows[1] == {"event": "note", **whose, "text": "loading data and model"}
    assert rows[2] == {
        "event": "round", **whose, "variant": "slow", "round": 1, "rounds": 4, "accuracy": 0.25,
        "split": None, "simulated_s": 0.5, "bytes_down": 1_500_000, "bytes_up": 300_000,
        "metric": "accuracy", "scored_round": 1, "trained": 1, "left_s": None,
    }  # fmt: skip
    assert (rows[3]["event"], rows[3]["split"]) == ("score", "validation")
    assert rows[3]["left_s"] == 10 * (2 + 4 + 4)  # a round took 10 s; three trainings of four
    assert rows[4] == {"event": "done", **whose, "text": "LoRA\n  fast  3 s"}
    assert (rows[5]["event"], rows[5]["training"]) == ("failed", 1)
    assert len(rows) == 6


def test_its_page_has_every_field_and_no_other(events):
    display, said = events
    display.show(at(0, 1))
    display.show(Simulated(0, 2))
    display.end(0, lambda: ["LoRA"])
    table = PAGE.read_text("utf-8").partition("## Events")[2]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == {
        name for event in said() for name in event
    }


def test_auto_is_a_live_view_on_a_terminal_only(trainings, monkeypatch):
    kinds = {"live": Live, "plain": Plain, "json": Json, "none": Display, "auto": Plain}
    assert {how: type(display(how, trainings, 1)) for how in kinds} == kinds
    monkeypatch.setenv("FORCE_COLOR", "1")  # for rich, a terminal
    assert type(display("auto", trainings, 1)) is Live


def test_none_is_silent(trainings, capsys):
    with display("none", trainings, 1) as shown:
        shown.say("hello")
        shown.show(at(0, 1))
        shown.end(0, lambda: ["done"])
    assert capsys.readouterr() == ("", "")


def test_titles_tell_trainings_apart(scenario, tmp_path):
    path = scenario()
    assert titles(inputs.read(path).trainings()) == ["LoRA", "head", "FLASC"]
    seeds = inputs.read(path, ["training.seeds=[3, 4]"], ["head"]).trainings()
    assert titles(seeds) == ["head, seed 3", "head, seed 4"]
    ranks = (
        path.read_text()
        + "  rank:\n    r2: {training.lora.rank: 2}\n    r8: {training.lora.rank: 8}\n"
    )
    path.write_text(ranks)
    found = titles(inputs.read(path, (), ["LoRA"]).trainings())
    assert found == ["LoRA, fast, r2", "LoRA, fast, r8"]


def test_a_metric_goes_by_its_name(scenario, clock):
    text = scenario().read_text("utf-8").replace("20newsgroups", "friends")
    trainings = inputs.read(scenario(text)).trainings()
    out = io.StringIO()
    with Plain(Console(file=out, width=200), trainings, workers=2) as display:
        display.show(at(0, 1))
    assert "round 1/4, next-token accuracy 0.250, simulated" in out.getvalue()


def test_numbers_of_simulations_are_told_with_their_pace(events, monkeypatch):
    now = SimpleNamespace(s=0.0)
    monkeypatch.setattr(printed_progress, "time", SimpleNamespace(monotonic=lambda: now.s))
    pace = printed_progress.SimulationPace(1_100)
    pace.add(100)  # workers have started
    assert pace.text() == "100 of 1,100 simulations"
    now.s = 2.0
    pace.add(400)
    assert pace.text() == "500 of 1,100 simulations, 200 per second, about 3.0 s left"
    display, said = events
    display.show(Simulated(0, 2))
    (event,) = said()
    assert (event["event"], event["done"]) == ("simulations", 2)
    assert event["whole"] >= 2
