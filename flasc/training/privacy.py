"""Differential privacy of clients: the Gaussian mechanism on what a cohort's updates add up to.

Central and simulated: the server sees every update and adds the noise itself (McMahan et al. 2018,
arXiv 1710.06963). docs/howto/differential_privacy.md says what that protects. What it costs in
epsilon depends on who
takes part, and is the emulator's to say.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from flasc.training.settings import Privacy


def clipped(delta: Tensor, bound: float) -> Tensor:
    """float32 [n], shortened to an L2 norm of `bound` where it is longer: A, B and head jointly."""
    norm = float(torch.linalg.vector_norm(delta, dtype=torch.float64))
    return delta if norm <= bound else delta * (bound / norm)


def noisy_mean(
    deltas: Sequence[Tensor], settings: Privacy, stream: np.random.Generator, like: Tensor
) -> Tensor:
    """The private mean of a cohort that may be empty: float32 [n], where `like` lives.

    In the order of FLASC's reference code: clip each, sum, divide by the bound, add the noise to
    every coordinate, divide by the cohort. `mean` then gives the updates their own scale back. It
    is divided by the cohort that is expected, for how many came is private, too.
    """
    total = torch.zeros_like(like)
    for delta in deltas:
        total += clipped(delta, settings.clip)
    normal = torch.from_numpy(stream.standard_normal(len(like), dtype=np.float32))
    total = total / settings.clip + settings.noise * normal.to(like.device)
    if settings.scaling == "mean":
        total *= settings.clip
    return total / settings.cohort
