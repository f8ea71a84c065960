"""Sizes by heart against the documented ones, and against real models and recorded messages."""

import re
from pathlib import Path

import numpy as np
import pytest

from flasc import codec
from flasc.common.settings import Wire
from flasc.methods.dense import DenseLora, Full, Head
from flasc.methods.flasc import Flasc
from flasc.methods.sparse_adapter import SparseAdapter
from flasc.methods.top_k import count
from flasc.models.settings import Lora  # fmt: skip
from flasc.tasks.twenty_newsgroups import Newsgroups
from flasc.training.message_sizes import entries, message_bytes
from flasc.training.settings import AdamW, Client, TrainingSettings

METHODS_PAGE = (Path(__file__).parents[3] / "docs/background/methods.md").read_text("utf-8")


def settings(method, rank=16, model="minilm", targets=None, **wire):
    return TrainingSettings(
        seed=0, task=Newsgroups(name="20newsgroups", model=model),
        lora=Lora(rank=rank, targets=targets), client=Client(), server=AdamW(),
        wire=Wire(**wire), method=method, evaluation_examples=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "method", "rank"),
    [
        ("`full`", Full(kind="full"), 16),
        ("`lora`", DenseLora(kind="lora"), 16),
        ("`lora`, rank 4", DenseLora(kind="lora"), 4),
        ("`head`", Head(kind="head"), 16),
    ],
)
def test_dense_sizes_are_the_documented_ones(row, method, rank):
    # The page's numbers are held against the real model by tests/docs/test_pages.py.
    (found,) = re.findall(
        rf"^\| {re.escape(row)} \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", METHODS_PAGE, re.M
    )
    n, down, up = (int(cell.replace(",", "")) for cell in found)
    assert entries(settings(method, rank)) == n
    assert message_bytes(settings(method, rank)) == (down, up)


def test_sparse_messages_are_what_the_codec_makes_of_a_support():
    found = message_bytes(settings(Flasc(kind="flasc", down=1 / 4, up=1 / 64), format="coo"))
    n = 155_156
    assert found == tuple(12 + 8 * count(n, density) for density in (1 / 4, 1 / 64))
    down, up = message_bytes(settings(SparseAdapter(kind="sparse_adapter", density=1 / 4)))
    assert up == 12 + 4 * count(n, 1 / 4)
    bitmask = codec.size(np.arange(count(n, 1 / 4)), n, wire="bitmask")
    assert up < down <= bitmask


def test_half_precision_halves_the_values():
    whole, half = (
        message_bytes(settings(DenseLora(kind="lora"), values=v))[0] - 12 for v in ("fp32", "fp16")
    )
    assert whole == 2 * half


def test_more_targets_are_more_entries():
    two, three = (
        entries(settings(DenseLora(kind="lora"), targets=t))
        for t in (["query", "value"], ["query", "key", "value"])
    )
    assert (three - 7700) * 2 == (two - 7700) * 3


def test_what_is_not_known_by_heart_is_none():
    assert entries(settings(Head(kind="head"), model="owner/name")) is None
    assert message_bytes(settings(DenseLora(kind="lora"), targets=["dense"])) is None
