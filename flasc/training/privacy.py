"""Client-level differential privacy: the Gaussian mechanism on the sum of a cohort's updates.

Central and simulated: the server sees every update and adds the noise (McMahan et al. 2018, arXiv
1710.06963). docs/howto/differential_privacy.md says what this protects. Epsilon depends on which
clients take part, so the emulator computes it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from flasc.training.settings import Privacy


def clipped(delta: Tensor, bound: float) -> Tensor:
    """float32 [n] scaled to an L2 norm of at most `bound`: A, B and head jointly."""
    norm = float(torch.linalg.vector_norm(delta, dtype=torch.float64))
    return delta if norm <= bound else delta * (bound / norm)


def noisy_mean(
    deltas: Sequence[Tensor], settings: Privacy, stream: np.random.Generator, like: Tensor
) -> Tensor:
    """The private mean of a cohort, which may be empty: float32 [n], on the device of `like`.

    In the order of FLASC's reference code: clip each update, sum, divide by the bound, add noise to
    every coordinate, divide by the cohort size. `mean` then restores the scale of the updates. The
    expected cohort size is used, because the actual one is private.
    """
    total = torch.zeros_like(like)
    for delta in deltas:
        total += clipped(delta, settings.clip)
    normal = torch.from_numpy(stream.standard_normal(len(like), dtype=np.float32))
    total = total / settings.clip + settings.noise * normal.to(like.device)
    if settings.scaling == "mean":
        total *= settings.clip
    return total / settings.cohort
