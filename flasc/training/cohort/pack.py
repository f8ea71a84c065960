"""Batches of several clients as one matrix of real tokens, without padding."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flasc.data.examples import Examples


@dataclass(frozen=True)
class Packed:
    """Rows (examples) of several clients, in one run per client.

    `inputs` are cut to the longest row. `blocks` are (rows, tokens) of consecutive rows of one
    length. `place` int64 [tokens] is the position of each real token in [rows * length]; None if
    all are real. `row` and `token` int64 [tokens] are its row and position in the row. `pooled`
    int64 [rows] is the token that represents the row. `attends` is bool [rows, length]: the real
    tokens, up to the pooled one for a causal model.
    """

    inputs: dict[str, Tensor]
    labels: Tensor
    length: int
    blocks: tuple[tuple[int, int], ...]
    place: Tensor | None
    row: Tensor
    token: Tensor
    pooled: Tensor
    attends: Tensor
    row_runs: tuple[tuple[int, int], ...]
    token_runs: tuple[tuple[int, int], ...]

    @property
    def rows(self) -> int:
        """Number of examples."""
        return len(self.labels)


def pack(
    data: Examples,
    batches: Sequence[NDArray[np.int64]],
    device: torch.device,
    *,
    tokens: int | None = None,
    last: bool = False,
    pad_token: int | None = None,
) -> Packed:
    """One non-empty batch of each client, as indices into `data`, without padding.

    For images, `tokens` is the number of tokens per image. As in transformers, a causal model pools
    the `last` token that is not `pad_token`, whatever the mask.
    """
    chosen = np.concatenate(batches)
    taken = {name: array[chosen] for name, array in data.features.items()}
    if "attention_mask" in taken:
        real = taken["attention_mask"].astype(bool)
        length = max(1, int(np.flatnonzero(real.any(axis=0)).max(initial=0)) + 1)
        taken = {name: array[:, :length] for name, array in taken.items()}
        real = real[:, :length]
    else:
        assert tokens is not None, "inputs without a mask need `tokens`"
        length, real = tokens, np.ones((len(chosen), tokens), bool)
    pooled = np.zeros(len(chosen), np.int64)
    if last:
        text = np.ones_like(real) if pad_token is None else taken["input_ids"] != pad_token
        pooled = (np.arange(length) * text).argmax(1)
    real[np.arange(len(real)), pooled] = True  # the pooled token always counts as real
    row, token = real.nonzero()
    ends = np.cumsum([0, *map(len, batches)])
    counts = np.concatenate([[0], np.cumsum(real.sum(1))])
    place = row * length + token
    order = np.full(real.size, -1)
    order[place] = np.arange(len(place))
    attends = real & (np.arange(length) <= pooled[:, None]) if last else real

    def tensor(array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(device, non_blocking=True)

    return Packed(
        inputs={name: tensor(array) for name, array in taken.items()},
        labels=tensor(data.labels[chosen]),
        length=length,
        blocks=tuple((len([*same]), n) for n, same in itertools.groupby(real.sum(1).tolist())),
        place=None if real.all() else tensor(place),
        row=tensor(row),
        token=tensor(token),
        pooled=tensor(order[np.arange(len(real)) * length + pooled]),
        attends=tensor(attends),
        row_runs=_runs(ends),
        token_runs=_runs(counts[ends]),
    )


def _runs(ends: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    return tuple(itertools.pairwise(ends.tolist()))
