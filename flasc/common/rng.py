"""Named random streams. No global seed: each purpose draws from its own stream.

A stream is keyed by (seed, purpose, counters such as round and client), so that a draw never
depends on what else was drawn before it, or on how clients are grouped.
"""

import hashlib

import numpy as np


def key(seed: int, purpose: str, *counters: int) -> int:
    """A 64-bit key: the head of a SHA-256 over seed, purpose and counters.

    A digest rather than `hash()`, which changes from process to process.
    """
    text = "/".join([str(seed), purpose, *map(str, counters)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def stream(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """The stream of `purpose` at `counters` (Philox, keyed by `key`)."""
    return np.random.Generator(np.random.Philox(key(seed, purpose, *counters)))
