"""Assigns clients to tiers."""

from collections.abc import Sequence

import numpy as np

from flasc.common import rng
from flasc.data.partition import largest_remainder
from flasc.methods.base import VectorLayout


def deal(shares: Sequence[float], layout: VectorLayout) -> list[int]:
    """The index in `shares`, which are relative, of each client's tier: [clients].

    Counts follow from the shares by largest remainder, ties to the first tier; the random stream
    `tiers` assigns the clients. (The reference code uses the client's number modulo the tiers.)
    """
    counts = largest_remainder(np.asarray(shares) / sum(shares), layout.clients)
    order = rng.stream(layout.seed, "tiers").permutation(layout.clients)
    dealt = np.empty(layout.clients, int)
    dealt[order] = np.repeat(np.arange(len(counts)), counts)
    return dealt.tolist()
