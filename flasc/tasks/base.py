"""What a trainer needs of a task: examples by split, clients, a model to adapt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flasc.data.objective import Objective, SingleLabel

# What stands on top of the pretrained model: a fresh classifier of texts or of images, which is
# trained in full, or the language model's own output, tied to its embeddings and frozen.
Head = Literal["text", "image", "causal"]


class Column(Protocol):
    """One input of all examples: an array [N, ...], or something that makes its rows when asked."""

    def __getitem__(self, rows: Any, /) -> NDArray[Any]:
        """The rows at int64 indices, or of a slice."""


@dataclass(frozen=True)
class Examples:
    """Model inputs by name, each [N, ...], and labels [N, ...] as the task's objective has them."""

    features: Mapping[str, Column]
    labels: NDArray[Any]

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: NDArray[np.int64], device: torch.device) -> dict[str, Tensor]:
        """The examples at `indices` as the model's keyword arguments, on `device`."""
        taken = {name: torch.from_numpy(array[indices]) for name, array in self.features.items()}
        taken["labels"] = torch.from_numpy(self.labels[indices])
        return {name: tensor.to(device) for name, tensor in taken.items()}


@dataclass(frozen=True)
class Task:
    """Data dealt to clients, and where the pretrained model lies.

    `clients[i]` are the int64 indices into `train` that client i holds. `edition` says exactly
    which data a result was measured on. `classes` is empty where the head is `causal`.
    """

    edition: str
    train: Examples
    validation: Examples
    test: Examples
    clients: Sequence[NDArray[np.int64]]
    classes: Sequence[str]
    model: Path
    head: Head = "text"
    objective: Objective = field(default_factory=SingleLabel)
