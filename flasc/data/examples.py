"""Examples of one split: model inputs by name, and labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Column(Protocol):
    """One input of all examples: an array [N, ...], or an object that makes rows on request."""

    def __getitem__(self, rows: Any, /) -> NDArray[Any]:
        """The rows at int64 indices or of a slice."""


@dataclass(frozen=True)
class Examples:
    """Model inputs by name, each [N, ...], and labels [N, ...] for the task's objective."""

    features: Mapping[str, Column]
    labels: NDArray[Any]

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: NDArray[np.int64], device: "torch.device") -> "dict[str, Tensor]":
        """The examples at `indices` as keyword arguments of the model, on `device`."""
        import torch

        taken = {name: torch.from_numpy(array[indices]) for name, array in self.features.items()}
        taken["labels"] = torch.from_numpy(self.labels[indices])
        return {name: tensor.to(device) for name, tensor in taken.items()}
