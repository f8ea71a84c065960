"""Scalars for TensorBoard by round: metric, loss, bytes, duration of rounds.

Event files as TensorBoard itself writes them; tensorboard is an extra. Wall time is simulated
time, so that TensorBoard's 'Relative' axis shows simulated seconds.
"""

from collections.abc import Iterable
from pathlib import Path

from emulator.common.files import storage
from emulator.reports.export.scalars import scalars
from emulator.reports.export.tables import missing
from emulator.results.metadata import ACCURACY
from emulator.simulation.records import Row


def write(folder: Path, rows: Iterable[Row], metric: str = ACCURACY) -> None:
    """Write an event file into `folder`, and delete older ones.

    Raises SupportError if tensorboard is missing, and StorageError.
    """
    try:
        from tensorboard.summary import Writer
    except ImportError:
        raise missing("tensorboard") from None
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        writer = Writer(str(folder))
        for tag, step, time_s, value in scalars(rows, metric):
            writer.add_scalar(tag, value, step, wall_time=time_s)
        writer.close()
