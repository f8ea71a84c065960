from dataclasses import dataclass

import numpy as np
import pytest

from emulator.runner.recording import Recording, RecordingTrainer

SETTINGS = {"what": "toy", "seed": 0}


@dataclass(frozen=True)
class ToyMessage:
    client: int
    version: int
    vector: np.ndarray
    nbytes: int
    value_bytes: int = 8
    examples: int = 3
    steps: int = 1


@dataclass(frozen=True)
class ToyScore:
    examples: int
    accuracy: float
    loss: float
    by_label: tuple = ((3, 6), (0, 4))


@dataclass(frozen=True)
class ToyAbout:
    examples: tuple = (3,) * 20
    flop_per_example: float = 7.0
    labels: tuple = ((1, 2),) * 20


class ToyTrainer:
    """A real state with real dynamics, small enough to follow: order and weights matter to it."""

    def __init__(self, drift=0.0):
        self.vector = np.arange(4.0)
        self.version = 0
        self.trained = []  # every (version, client) that was really trained
        self.drift = drift

    def download(self, client):
        return ToyMessage(client, self.version, self.vector.copy(), 100 + client)

    def train(self, downloads):
        uploads = []
        for d in downloads:
            self.trained.append((d.version, d.client))
            moved = np.sin(d.vector * (d.client + 1)) + d.version + self.drift
            uploads.append(ToyMessage(d.client, d.version, moved, int(200 + abs(moved.sum()) * 10)))
        return uploads

    def aggregate(self, uploads, weights):
        for position, (upload, weight) in enumerate(zip(uploads, weights, strict=True)):
            self.vector = self.vector * 0.9 + weight * upload.vector * (1 + position)
        self.version += 1

    def evaluate(self, split):
        return ToyScore(10, float(abs(np.sin(self.vector.sum()))), float(self.vector.sum()))

    def release(self, messages):
        pass

    def metadata(self, require_flops=False):
        return ToyAbout()

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
