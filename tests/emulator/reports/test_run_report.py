"""A ledger becomes a study: ordered, measured, with what is missing named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.common.errors import LedgerError
from emulator.reports import figures
from emulator.reports.page import data, page
from emulator.reports.run_report import Study, _timeline, load
from emulator.reports.terminal import caption, method_lines
from emulator.results.ledger import Ledger
from emulator.results.metrics import Summary
from emulator.simulation.records import Emulation, Round

Studies = Callable[..., Study]


def test_order_is_the_scenarios_and_numbers_are_the_rows(study_of: Studies) -> None:
    study = study_of({"FLASC": 0.1, "LoRA": 0.05}, {"16x": 16, "1x": 1})
    assert (study.methods, study.variants) == (("FLASC", "LoRA"), ("16x", "1x"))
    times = [o.time_to_target_s for o in study.outcomes]
    assert times == [5 * 19, 5 * 4, 10 * 19, 10 * 4]
    curve = study.curves[Emulation("LoRA", "1x", 0)]
    assert curve.time_s[:3] == (0.0, 4.0, 8.0)
    assert curve.accuracy[:3] == (0.0, 0.05, 0.1)
    assert (curve.round[-1], curve.bytes_down[-1], curve.bytes_up[-1]) == (10, 40_000, 10_000)
    assert study.missing == ()


def test_what_was_cut_off_is_missing(study_of: Studies) -> None:
    absent = [Emulation("B", "y", 1)]
    study = study_of({"A": 0.1, "B": 0.1}, {"x": 1, "y": 2}, seeds=(0, 1), absent=absent)
    assert study.missing == tuple(absent)
    assert len(study.outcomes) == 7


def test_promised_seeds_count_as_missing(write_run: Callable[..., Path]) -> None:
    path = write_run({"A": 0.1}, {"x": 1})
    meta = {"methods": '["A", "B"]', "variants": '["x"]', "seeds": "[0, 7]", "target": "0.5"}
    with Ledger.open(path) as old:
        rows = old.rows(Emulation("A", "x", 0))
    with Ledger.create(path, meta) as ledger:
        ledger.write(Emulation("A", "x", 0), rows)
        missing = load(ledger).missing
    assert missing == (Emulation("A", "x", 7), Emulation("B", "x", 0), Emulation("B", "x", 7))


def test_a_ledger_with_no_emulation_yet(study_of: Studies) -> None:
    study = study_of({}, {"x": 1})
    assert (study.outcomes, study.missing, study.methods) == ((), (), ())


@pytest.mark.parametrize(
    ("key", "text"),
    [("target", "high"), ("methods", "LoRA"), ("variants", '{"a": 1}'), ("methods", "[1]"),
     ("methods", "[" * 100_000), ("densities", "[]"), ("densities", '{"a": [1]}'),
     ("densities", '{"a": ["x", 1]}'), ("fleet", '{"x": 1}'), ("fleet", '{"x": [{}]}'),
     ("fleet", '{"x": [{"name": 1, "clients": 1, "down_Bps": [], "up_Bps": []}]}'),
     ("fleet", "[" * 100_000), ("target", "inf"), ("densities", '{"a": [NaN, 1]}'),
     ("densities", '{"a": [1' + "0" * 400 + ", 1]}"),
     ("fleet", '{"x": [{"name": "a", "clients": 1e999, "down_Bps": [], "up_Bps": []}]}'),
     ("fleet", '{"x": [{"name": "a", "clients": 1, "down_Bps": [1e999], "up_Bps": []}]}')],
)  # fmt: skip
def test_foreign_meta_is_an_error_of_ours(study_of: Studies, key: str, text: str) -> None:
    with pytest.raises(LedgerError, match=f"ledger's {key}") as caught:
        study_of({"A": 0.1}, {"x": 1}, **{key: text})
    assert caught.value.hint


def test_control_characters_do_not_reach_a_terminal(study_of: Studies) -> None:
    study = study_of({"\x1b[31mred\n": 0.1}, {"\x07x": 1}, name="a\x00b")
    shown = [study.name, *study.methods, *study.variants, study.outcomes[0].method]
    assert all(text.isprintable() for text in shown)
    assert not study.missing


def test_rounds_without_clients_have_a_timeline() -> None:
    found = _timeline([Round(1, 0, 0.0, 1.0), Round(2, 0, 1.0, 2.0)], 100)
    assert [line.of_clients for line in found.rounds] == [0, 0]


@pytest.mark.parametrize(
    ("rule", "rounds", "said"),
    [(None, 5, "at one evaluation"), ("mean3", 6, "as the mean of three evaluations in a row")],
)
def test_the_rule_of_the_target_decides_and_is_named(
    study_of: Studies, rule: str | None, rounds: int, said: str
) -> None:
    """Accuracies 0.1, 0.2, ... up to 1, and a target of 0.5."""
    study = study_of({"A": 0.1}, {"x": 1}, target_rule=rule)
    assert [outcome.rounds_to_target for outcome in study.outcomes] == [rounds]
    told = f"Target measured on {study.split}, {said}."
    assert told in caption(study)
    assert told in page.html(study)
    assert study_of({"A": 0.1}, {"x": 1}, target=None).measured == study.split


def test_a_target_loss_is_named_and_drawn(study_of: Studies) -> None:
    """Losses of 2.9, 2.8, ... after rounds of 4 s."""
    study = study_of({"A": 0.1}, {"x": 1}, target="2.5", target_measure="loss")
    assert [outcome.time_to_target_s for outcome in study.outcomes] == [5 * 4]
    assert (study.goal, study.curved_name) == ("loss 2.50", "loss")
    shown = json.loads(data.to_json(study))
    scores = shown["emulations"][0]["curve"]["score"]
    assert scores[:3] == pytest.approx([3.0, 2.9, 2.8])
    assert (shown["target"], shown["curved"]) == (2.5, "loss")
    axes = figures.figures(7.2)["accuracy_over_time"](study).axes[0]
    assert (axes.get_ylabel().split(",")[0], axes.get_title()) == ("loss", "Loss over time, x")
    assert "never reached loss 1.00" in " ".join(method_lines([_never(study_of)]))


def _never(study_of: Studies) -> Summary:
    study = study_of({"A": 0.1}, {"x": 1}, target="1", target_measure="loss")
    found = study.summary("A", "x")
    assert found
    return found


def test_a_rule_that_does_not_exist_is_refused(study_of: Studies) -> None:
    with pytest.raises(LedgerError, match="target_rule; allowed: first or mean3"):
        study_of({"A": 0.1}, {"x": 1}, target_rule="mean7")
