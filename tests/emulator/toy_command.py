"""`flasc-emu` with a toy for a trainer, in this process and in its workers (spawn imports it).

In $TOY_FOLDER, where set, a toy at version $TOY_PAUSE_AT says so (`paused-PID`) and waits for the
file `go`: tests meet a run in the middle without looking at a clock. With $TOY_SPREAD a toy offers
its clients as pieces and waits until another process has begun with one (`helping-PID`); with
$TOY_SPREAD=pause that one waits for `go`. No toy waits longer than the tests run: their process is
$TOY_TESTS.
"""

import os
import time
from pathlib import Path

import numpy as np

from emulator.runner import training_job
from emulator.runner.executors import ray_worker
from emulator.simulation.trainer import StubTrainer
from flasc.common.errors import DivergedError


def wait_for(is_there):
    """Wait until `is_there()`; end the process if the tests were ended in the meantime."""
    tests = os.environ.get("TOY_TESTS", "self")
    while not is_there():
        if not Path(f"/proc/{tests}").exists():
            os._exit(1)
        time.sleep(0.01)


class Toy(StubTrainer):
    """Learns by formula, and can be kept, exported, paused and made to diverge."""

    def __init__(self, settings, helpers=None):
        share = {"head": 1, "lora": 10, "flasc": 3}[settings.method.kind]
        super().__init__(
            down_bytes=100_000 * share, up_bytes=50_000 * share, best=0.9, tau=2 + share
        )
        self.diverges = settings.client.lr >= 1e5
        self.folder = Path(os.environ.get("TOY_FOLDER", "."))
        self.pause_at = int(os.environ.get("TOY_PAUSE_AT", "-1"))
        self.spread = os.environ.get("TOY_SPREAD", "")
        self.helpers = helpers if self.spread else None

    def train(self, downloads):
        if self.diverges and self.version:
            raise DivergedError("client 1 diverged in round 2", "lower the rates")
        if self.helpers is None:
            return super().train(downloads)
        return self.helpers.carry_out(list(downloads), self.work_here)

    def work_here(self, download):
        wait_for(lambda: list(self.folder.glob("helping-*")))
        return super().train([download])[0]

    def work(self, download):
        (self.folder / f"helping-{os.getpid()}").touch()
        if self.spread == "pause":
            wait_for((self.folder / "go").exists)
        return super().train([download])[0]

    def aggregate(self, uploads, weights):
        super().aggregate(uploads, weights)
        if self.version == self.pause_at:
            (self.folder / f"paused-{os.getpid()}").touch()
            wait_for((self.folder / "go").exists)

    def snapshot(self):
        return {"version": np.array(self.version), "filler": np.zeros(2000)}

    def restore(self, arrays):
        self.version = int(arrays["version"])

    def export(self, folder):
        folder.mkdir(parents=True)
        (folder / "model.txt").write_text(str(self.version))


def make(settings, options, notify, workshop):
    return Toy(settings, workshop.helpers), {"toy": "1"}


training_job._real_trainer = make

real_work, told = ray_worker.work, {n: v for n, v in os.environ.items() if n.startswith("TOY_")}


def work(pipe, options):
    """A worker on Ray, where nobody imports this module: it comes by value, as main's do."""
    os.environ.update(told)
    training_job._real_trainer = make
    real_work(pipe, options)


if __name__ == "__main__":
    from emulator.cli import main
    from emulator.reports import plot_style

    plot_style.svg_and_png = lambda *_: (b"<svg/>", b"PNG")  # to draw takes longer than the run
    ray_worker.work = work
    main(prog_name="flasc-emu")
