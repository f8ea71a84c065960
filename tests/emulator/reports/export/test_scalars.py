"""The curves of trackers are those of the metrics."""

from collections.abc import Callable
from pathlib import Path

from emulator.reports.export.scalars import scalars
from emulator.results.ledger import Ledger
from emulator.results.metrics import curve
from emulator.simulation.records import UNKNOWN, Emulation, Evaluation


def test_scalars_are_the_metrics(write_run: Callable[..., Path]) -> None:
    with Ledger.open(write_run({"LoRA": 0.1}, {"1x": 1})) as ledger:
        rows = ledger.rows(Emulation("LoRA", "1x", 0))
    found: dict[str, list[tuple[int, float, float]]] = {}
    for tag, *point in scalars(rows):
        found.setdefault(tag, []).append(tuple(point))
    known = curve(rows)
    assert found["validation/accuracy"] == list(
        zip(known.round, known.time_s, known.accuracy, strict=True)
    )
    assert [value for *_, value in found["bytes/down"]] == list(known.bytes_down[1:])
    assert [value for *_, value in found["bytes/up"]] == list(known.bytes_up[1:])
    assert found["round/seconds"] == [(k, 4.0 * k, 4.0) for k in range(1, 11)]
    assert found["test/accuracy"] == [(10, 40.0, 0.99)]


def test_a_loss_that_a_message_log_lacks_is_no_point() -> None:
    rows = [Evaluation(1, 2.0, "validation", 10, 0.5, float(UNKNOWN))]
    assert [tuple(each) for each in scalars(rows)] == [("validation/accuracy", 1, 2.0, 0.5)]
