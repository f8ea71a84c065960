"""The task: a linear classifier on hashed words of 20 Newsgroups, as one flat vector."""

import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from flasc.assets.catalogue import locate
from flasc.data.newsgroups import CLASSES, Documents, load

Vector = npt.NDArray[np.float32]
WORDS = 4096  # hashed words
SIZE = WORDS * CLASSES  # of the model: 81,920 values
CLIENTS = 20
BATCH = 16
RATE = 4.0


@dataclass(frozen=True)
class Examples:
    """Word counts as float32 [n, WORDS], of length 1 per example, and labels as int64 [n]."""

    inputs: Vector
    labels: npt.NDArray[np.int64]


@cache
def _corpus() -> tuple[Documents, Documents]:
    corpus = load(locate("20newsgroups"))
    return corpus.train, corpus.validation


@cache
def of_client(number: int) -> Examples:
    """The training examples of a client: every 20th document."""
    train, _ = _corpus()
    return _examples(train.take(np.arange(number, len(train), CLIENTS)))


@cache
def validation() -> Examples:
    """The first 1,000 documents of the validation split."""
    return _examples(_corpus()[1].take(np.arange(1000)))


def trained(model: Vector, examples: Examples, seed: int) -> Vector:
    """The model after one epoch of SGD on the examples."""
    weights = model.reshape(WORDS, CLASSES).copy()
    order = np.random.default_rng(seed).permutation(len(examples.labels))
    for batch in np.array_split(order, max(1, len(order) // BATCH)):
        inputs = examples.inputs[batch]
        errors = _probabilities(inputs @ weights)
        errors[np.arange(len(batch)), examples.labels[batch]] -= 1
        weights -= np.float32(RATE / len(batch)) * (inputs.T @ errors)
    return weights.ravel()


def scored(model: Vector, examples: Examples) -> dict[str, float]:
    """Accuracy and mean loss of the model on the examples."""
    found = _probabilities(examples.inputs @ model.reshape(WORDS, CLASSES))
    right = found[np.arange(len(found)), examples.labels]
    hits = found.argmax(axis=1) == examples.labels
    return {"accuracy": float(hits.mean()), "loss": float(-np.log(right + 1e-9).mean())}


def _probabilities(logits: Vector) -> Vector:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _examples(documents: Documents) -> Examples:
    inputs = np.zeros((len(documents), WORDS), np.float32)
    for row, text in zip(inputs, documents.texts, strict=True):
        words = [zlib.crc32(word.encode()) % WORDS for word in set(text.split())]
        row[words] = 1
    inputs /= np.maximum(np.linalg.norm(inputs, axis=1, keepdims=True), 1)
    return Examples(inputs, documents.labels)
