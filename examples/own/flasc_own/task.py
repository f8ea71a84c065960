"""A task from a CSV file: texts are tokenised, split, and distributed to clients."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from flasc.common.errors import AssetError
from flasc.data import tokens as text
from flasc.data.examples import Examples
from flasc.models.resolve import resolve_model
from flasc.tasks.base import Task
from flasc_own.settings import Csv


def load(settings: Csv, seed: int, cache: Path | None, notify: Callable[[str], None]) -> Task:
    """Of every five consecutive rows, three train, one validates and one tests."""
    with Path(settings.file).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"text", "label"} <= rows[0].keys():
        raise AssetError(f"{settings.file}: found no rows of text and label; allowed: both columns")
    model = resolve_model(settings.model, cache=cache, notify=notify)
    texts = [row["text"] for row in rows]
    classes, codes = np.unique([row["label"] for row in rows], return_inverse=True)
    tokens = text.encode(texts, model, settings.tokens, cache, notify)
    position = np.arange(len(rows)) % 5

    def part(chosen: np.ndarray) -> Examples:
        return Examples(tokens.take(chosen).features, codes[chosen])

    train = part(position < 3)
    return Task(
        edition=f"{Path(settings.file).name} {settings.sha256[:12]}",
        train=train,
        validation=part(position == 3),
        test=part(position == 4),
        clients=settings.split.clients(train.labels, settings.clients, seed),
        classes=classes.tolist(),
        model=model,
    )
