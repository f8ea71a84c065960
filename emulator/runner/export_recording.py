"""A study's trainings into a packed recording: what its emulations ask for, and no more.

A store may hold what other scenarios made of the same trainings. So each emulation is replayed, and
what it reads is recorded a second time.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from emulator.common.errors import RecordingError
from emulator.runner.recording import Recording, RecordingTrainer, archive
from emulator.runner.training_job import lora_rank
from emulator.scenario import document
from emulator.scenario.study import Study, TrainingJob
from emulator.simulation.simulate import simulate


class _Recorded(RecordingTrainer):
    """A recording in place of the trainer that made it; its state is an id."""

    def snapshot(self) -> dict[str, np.ndarray]:
        """The id, as bytes."""
        return {"state": np.frombuffer(bytes.fromhex(self.state), np.uint8)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go to the state of that id."""
        self.state = arrays["state"].tobytes().hex()


def packed_recording(study: Study, recordings: Path) -> bytes:
    """What `study` trained, as `emulator.runner.recording.archive` has it.

    Raises RecordingError where `recordings` lack some of it.
    """
    scenario = document.dump(study.document.data)
    with tempfile.TemporaryDirectory(prefix="flasc-emu-") as folder:
        copies = [_copied(each, recordings, Path(folder)) for each in study.trainings()]
        return archive.pack(scenario, study.methods, copies)


def _copied(training: TrainingJob, recordings: Path, store: Path) -> Recording:
    settings = training.settings.model_dump(mode="json")
    source, copy = Recording(recordings, settings), Recording(store, settings)

    def train() -> Any:
        raise RecordingError(
            f"{recordings}: found no whole recording of {training.method}, seed {training.seed}, "
            "in this folder",
            "run the scenario first, or give its folder with --recordings",
        )

    recorded: Any = _Recorded(source, train)
    made_on = source.provenance() if source.steps else {}
    trainer = RecordingTrainer(copy, lambda: (recorded, made_on))
    try:
        for scenario in training.variants.values():
            trainer.restart()
            rank = lora_rank(training.settings)
            simulate(scenario, training.seed, trainer, rank=rank, stalled=lambda _: None)
    finally:
        trainer.close()
    return copy
