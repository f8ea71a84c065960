"""What a trainer needs of a task: examples by split, clients, a model to adapt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Examples:
    """Model inputs by name, each [N, ...], and int64 labels [N]."""

    features: Mapping[str, NDArray[np.generic]]
    labels: NDArray[np.int64]

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
    which data a result was measured on.
    """

    edition: str
    train: Examples
    validation: Examples
    test: Examples
    clients: Sequence[NDArray[np.int64]]
    classes: Sequence[str]
    model: Path
