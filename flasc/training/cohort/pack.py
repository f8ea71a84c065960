"""Batches of several clients as one matrix of real tokens, without padding."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flasc.data.examples import Examples
from flasc.data.objective import IGNORED
from flasc.training.cohort.lean_model import Reads


@dataclass(frozen=True)
class Packed:
    """Rows (examples) of several clients, in one run per client.

    `inputs` are cut to the longest row, from `width` tokens to `length`. `blocks` are (rows,
    tokens) of consecutive rows of one length. `place` int64 [tokens] is the position of each real
    token in [rows * length]; None if all are real. `row` and `token` int64 [tokens] are its row and
    position in the row. `read` int64 [outputs] are the tokens that the head reads, in the order of
    the rows, and `labels` are theirs. `attends` is bool [rows, length]: the real tokens, up to the
    one that is read if that is the last. The runs are [start, stop) of each client.
    """

    inputs: dict[str, Tensor]
    labels: Tensor
    rows: int
    width: int
    length: int
    blocks: tuple[tuple[int, int], ...]
    place: Tensor | None
    row: Tensor
    token: Tensor
    read: Tensor
    attends: Tensor
    token_runs: tuple[tuple[int, int], ...]
    read_runs: tuple[tuple[int, int], ...]


def pack(
    data: Examples,
    batches: Sequence[NDArray[np.int64]],
    device: torch.device,
    *,
    tokens: int | None = None,
    reads: Reads = "first",
    pad_token: int | None = None,
) -> Packed:
    """One non-empty batch of each client, as indices into `data`, without padding.

    For images, `tokens` is the number of tokens per image. As in transformers, a causal classifier
    reads the last token that is not `pad_token`, whatever the mask. A language model reads each
    token before a label that is not IGNORED; it has no output for a row without labels.
    """
    chosen = np.concatenate(batches)
    taken = {name: array[chosen] for name, array in data.features.items()}
    labels = data.labels[chosen]
    if "attention_mask" in taken:
        real = taken["attention_mask"].astype(bool)
        width = real.shape[1]
        if reads == "labelled":
            real[:, :-1] |= labels[:, 1:] != IGNORED
        length = max(1, int(np.flatnonzero(real.any(axis=0)).max(initial=0)) + 1)
        taken = {name: array[:, :length] for name, array in taken.items()}
        real = real[:, :length]
    else:
        assert tokens is not None, "inputs without a mask need `tokens`"
        length = width = tokens
        real = np.ones((len(chosen), tokens), bool)
    read = _read(taken, labels, real, reads, pad_token)
    real |= read  # a token that is read always counts as real,
    real[~real.any(1), 0] = True  # and each row has one
    row, token = real.nonzero()
    ends = np.cumsum([0, *map(len, batches)])
    counts, outputs = (np.concatenate([[0], np.cumsum(kind.sum(1))]) for kind in (real, read))
    attends = real
    if reads == "last":
        attends = real & (np.arange(length) <= read.argmax(1)[:, None])
    if reads == "labelled":
        following = labels[:, 1 : length + 1]
        labels = following[read[:, : following.shape[1]]]

    def tensor(array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(device, non_blocking=True)

    return Packed(
        inputs={name: tensor(array) for name, array in taken.items()},
        labels=tensor(labels),
        rows=len(chosen),
        width=width,
        length=length,
        blocks=tuple((len([*same]), n) for n, same in itertools.groupby(real.sum(1).tolist())),
        place=None if real.all() else tensor(row * length + token),
        row=tensor(row),
        token=tensor(token),
        read=tensor(np.flatnonzero(read[row, token])),
        attends=tensor(attends),
        token_runs=_runs(counts[ends]),
        read_runs=_runs(outputs[ends]),
    )


def _read(
    taken: dict[str, NDArray[np.generic]],
    labels: NDArray[np.generic],
    real: NDArray[np.bool_],
    reads: Reads,
    pad_token: int | None,
) -> NDArray[np.bool_]:
    """Which tokens the head reads: bool [rows, length]."""
    read = np.zeros_like(real)
    if reads == "labelled":
        following = labels[:, 1 : real.shape[1] + 1]
        read[:, : following.shape[1]] = following != IGNORED
        return read
    at = np.zeros(len(real), np.int64)
    if reads == "last":
        text = np.ones_like(real) if pad_token is None else taken["input_ids"] != pad_token
        at = (np.arange(real.shape[1]) * text).argmax(1)
    read[np.arange(len(real)), at] = True
    return read


def _runs(ends: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    return tuple(itertools.pairwise(ends.tolist()))
