from dataclasses import dataclass

import numpy as np
import pytest

from emulator.runner.recording import Recording, RecordingTrainer
from flasc.common.messages import MessageInfo, Score, TrainingMetadata

SETTINGS = {"what": "toy", "seed": 0}


@dataclass(frozen=True, kw_only=True)
class ToyMessage(MessageInfo):
    version: int
    vector: np.ndarray


class ToyTrainer:
    """A real state with real dynamics, small enough to follow: order and weights matter to it."""

    def __init__(self, drift=0.0):
        self.vector = np.arange(4.0)
        self.version = 0
        self.trained = []  # every (version, client) that was really trained
        self.drift = drift

    def _message(self, client, version, vector, nbytes):
        return ToyMessage(client, nbytes, 8, 3, 1, version=version, vector=vector)

    def download(self, client):
        return self._message(client, self.version, self.vector.copy(), 100 + client)

    def train(self, downloads):
        uploads = []
        for d in downloads:
            self.trained.append((d.version, d.client))
            moved = np.sin(d.vector * (d.client + 1)) + d.version + self.drift
            uploads.append(
                self._message(d.client, d.version, moved, int(200 + abs(moved.sum()) * 10))
            )
        return uploads

    def aggregate(self, uploads, weights):
        for position, (upload, weight) in enumerate(zip(uploads, weights, strict=True)):
            self.vector = self.vector * 0.9 + weight * upload.vector * (1 + position)
        self.version += 1

    def evaluate(self, split):
        total = float(self.vector.sum())
        return Score(10, float(abs(np.sin(total))), total, ((3, 6), (0, 4)))

    def release(self, messages):
        pass

    def metadata(self, require_flops=False):
        return TrainingMetadata((3,) * 20, 7.0, ((1, 2),) * 20)

    def snapshot(self):
        return {"vector": self.vector.copy(), "version": np.array(self.version)}

    def restore(self, arrays):
        self.vector = arrays["vector"].copy()
        self.version = int(arrays["version"])

    def export(self, folder):
        folder.mkdir(parents=True)
        np.save(folder / "model.npy", self.vector)


@dataclass
class Bench:
    """Opens recordings of one toy training in one store and keeps every trainer it made."""

    store: object
    made: list

    def open(self, drift=0.0):
        def make():
            self.made.append(ToyTrainer(drift))
            return self.made[-1], {"toy": "1"}

        return RecordingTrainer(Recording(self.store, SETTINGS), make)

    @property
    def folder(self):
        return Recording(self.store, SETTINGS).folder


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "recordings", [])


@pytest.fixture
def toy():
    return ToyTrainer
