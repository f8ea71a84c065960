"""TensorBoard's own reader reads the curves."""

from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.common.errors import SupportError
from emulator.reports.export.scalars import scalars
from emulator.reports.export.tensorboard import write
from emulator.results.ledger import Ledger
from emulator.simulation.records import Emulation, Row

LORA = Emulation("LoRA", "1x", 0)


@pytest.fixture
def rows(write_run: Callable[..., Path]) -> list[Row]:
    with Ledger.open(write_run({"LoRA": 0.1}, {"1x": 1})) as ledger:
        return ledger.rows(LORA)


# TensorBoard and protobuf warn about themselves.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_tensorboard_reads_them(rows: list[Row], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    write(tmp_path / "run", rows)
    write(tmp_path / "run", rows)
    assert len(list((tmp_path / "run").iterdir())) == 1, "in place of the first"
    reader = EventAccumulator(str(tmp_path / "run"), size_guidance={"tensors": 0})
    reader.Reload()
    expected: dict[str, list[tuple[int, float, float]]] = {}
    for tag, *point in scalars(rows):
        expected.setdefault(tag, []).append(tuple(point))
    assert set(reader.Tags()["tensors"]) == set(expected)
    for tag, points in expected.items():
        back = [
            (e.step, e.wall_time, float(make_ndarray(e.tensor_proto))) for e in reader.Tensors(tag)
        ]
        assert back == [pytest.approx(point, rel=1e-6) for point in points]


def test_a_missing_extra_is_said(
    rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboard.summary", None)
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    with pytest.raises(SupportError, match="found no tensorboard"):
        write(tmp_path, rows)
