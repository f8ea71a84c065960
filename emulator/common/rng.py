"""Named random streams."""

import hashlib

import numpy as np


def stream(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """The emulator's named random stream: Philox keyed by a digest of seed, purpose, counters."""
    text = "/".join(["emulator", str(seed), purpose, *map(str, counters)])
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return np.random.Generator(np.random.Philox(key))
