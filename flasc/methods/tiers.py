"""Which tier a client is in."""

from collections.abc import Sequence

import numpy as np

from flasc.common import rng
from flasc.methods.base import VectorLayout


def deal(shares: Sequence[float], layout: VectorLayout) -> list[int]:
    """The place in `shares`, which are relative, of each client: [clients].

    Counts are exact by largest remainder, ties to the first; who is where is drawn from the stream
    `tiers`. (The reference code takes the client's number modulo the number of tiers.)
    """
    exact = np.asarray(shares) / sum(shares) * layout.clients
    counts = exact.astype(int)
    short = layout.clients - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:short]] += 1
    order = rng.stream(layout.seed, "tiers").permutation(layout.clients)
    dealt = np.empty(layout.clients, int)
    dealt[order] = np.repeat(np.arange(len(counts)), counts)
    return [int(tier) for tier in dealt]
