"""What a tracker gets of a simulation agrees with the ledger."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.reports.export.tracked_run import Origin, TrackedRun, points, tracked
from emulator.results.ledger import Ledger
from emulator.results.metadata import RunMetadata
from emulator.results.metrics import curve, outcome
from emulator.simulation.records import Emulation, Evaluation, Row

LORA = Emulation("LoRA", "1x", 0)


@pytest.fixture
def run_of(write_run: Callable[..., Path]) -> Callable[..., tuple[TrackedRun, list[Row]]]:
    """A simulation, and its rows."""

    def made(*args: Origin, **meta: str) -> tuple[TrackedRun, list[Row]]:
        with Ledger.open(write_run({"LoRA": 0.1}, {"1x": 1}, **meta)) as ledger:
            rows = ledger.rows(LORA)
            meta_data = RunMetadata.from_meta(ledger.meta())
            return tracked(LORA, rows, meta_data, "folder", *args), rows

    return made


def test_each_point_has_all_axes(run_of: Callable[..., tuple[TrackedRun, list[Row]]]) -> None:
    run, rows = run_of()
    known = curve(rows)
    assert [point.round for point in run.points] == list(known.round)
    for name, column in (
        ("simulated_seconds", known.time_s),
        ("bytes/down", known.bytes_down),
        ("bytes/up", known.bytes_up),
        ("validation/accuracy", known.accuracy),
        ("validation/loss", known.loss),
    ):
        assert [point.values[name] for point in run.points] == list(column), name
    assert [point.values["bytes/total"] for point in run.points] == [5000.0 * k for k in range(11)]
    assert all(point.time_s == point.values["simulated_seconds"] for point in run.points)


def test_a_round_without_traffic_keeps_the_bytes_until_then() -> None:
    rows = [Evaluation(3, 7.0, "validation", 10, 0.5, 1.0)]
    (point,) = points(rows, "accuracy")
    assert point == (3, 7.0, {
        "validation/accuracy": 0.5, "validation/loss": 1.0, "simulated_seconds": 7.0,
        "bytes/down": 0.0, "bytes/up": 0.0, "bytes/total": 0.0,
    })  # fmt: skip


def test_results_are_those_of_the_outcome(
    run_of: Callable[..., tuple[TrackedRun, list[Row]]],
) -> None:
    run, rows = run_of()
    known = outcome(LORA, rows, RunMetadata(target=0.5).goal)
    assert run.results["time_to_target_s"] == known.time_to_target_s == 20.0
    assert run.results["bytes_up"] == known.bytes_up == 10_000
    never, _ = run_of(target="2.0")
    assert not any(name.endswith("to_target") for name in never.results)
    assert "time_to_target_s" not in never.results


def test_labels_say_where_it_comes_from(
    run_of: Callable[..., tuple[TrackedRun, list[Row]]],
) -> None:
    made = json.dumps({"flasc-emu": "0.1.0", "torch": "2"})
    run, _ = run_of(Origin({"method": {"kind": "lora"}}, "ab12"), provenance=made)
    assert (run.experiment, run.title) == ("slow upload", "LoRA, 1x, seed 0")
    assert run.labels == {
        "method": "LoRA", "variant": "1x", "seed": "0", "source": "folder", "recording": "ab12",
        "provenance.flasc-emu": "0.1.0", "provenance.torch": "2",
    }  # fmt: skip
    unknown, _ = run_of(provenance="no json")
    assert set(unknown.labels) == {"method", "variant", "seed", "source"}
