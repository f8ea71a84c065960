"""Exports a study as a packed recording: the entries that its simulations need, and no others.

A store may have entries that other scenarios added to the same trainings. Therefore each simulation
is replayed, and what it reads is recorded again.
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
    """A recording used as a real trainer, whose state is an id."""

    def snapshot(self) -> dict[str, np.ndarray]:
        return {"state": np.frombuffer(bytes.fromhex(self.state), np.uint8)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.state = arrays["state"].tobytes().hex()


def packed_recording(study: Study, recordings: Path) -> bytes:
    """The trainings of `study` in the format of `emulator.runner.recording.archive`.

    Raises RecordingError if `recordings` are incomplete.
    """
    scenario = document.dump(study.document.data)
    with tempfile.TemporaryDirectory(prefix="flasc-emu-") as folder:
        copies = [_copied(each, recordings, Path(folder)) for each in study.trainings()]
        return archive.pack(scenario, study.methods, copies)


def _copied(training: TrainingJob, recordings: Path, store: Path) -> Recording:
    settings = training.settings.model_dump(mode="json")
    source = Recording(recordings, settings, weights=training.weights)
    copy = Recording(store, settings)

    def train() -> Any:
        raise RecordingError(
            f"{recordings}: found no complete recording of {training.method}, "
            f"seed {training.seed}, in this folder",
            "run the scenario first, or give its folder with --recordings",
        )

    recorded: Any = _Recorded(source, train)
    provenance = source.provenance() if source.steps else {}
    trainer = RecordingTrainer(copy, lambda: (recorded, provenance))
    try:
        for scenario in training.variants.values():
            trainer.restart()
            rank = lora_rank(training.settings)
            simulate(scenario, training.seed, trainer, rank=rank, stalled=lambda _: None)
    finally:
        trainer.close()
    return copy
