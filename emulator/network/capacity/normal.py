"""A rate redrawn from a normal distribution, as in FLASH's device tables.

It has no settings of its own: a scenario uses it with a table of devices.
"""

from dataclasses import dataclass

import numpy as np

from emulator.network.capacity.profile import Profile

STEPS = 1_000  # rates of a device before they repeat


@dataclass(frozen=True, slots=True)
class NormalRate:
    """A device's rate, redrawn every `step_s`; `shape_mean` and `sigma_Bps` are in bytes/s."""

    shape_mean: float
    sigma_Bps: float
    step_s: float

    @property
    def shape_range(self) -> tuple[float, float]:
        """Bounds of the shape, bytes/s: one draw in 10^15 is above."""
        return 0.0, self.shape_mean + 8 * self.sigma_Bps

    def shape(self, rng: np.random.Generator, _u: float) -> Profile:
        """Draws the rates; see `CapacityModel.shape`."""
        return normal_profile(self.shape_mean, self.sigma_Bps, self.step_s, STEPS, rng)


def normal_profile(
    mean_Bps: float, sigma_Bps: float, step_s: float, steps: int, rng: np.random.Generator
) -> Profile:
    """A rate redrawn every `step_s` (seconds), `steps` times; then the profile repeats.

    Negative draws are redrawn, as FLASH draws a rate for each message. So with z = mean / sigma the
    expected rate is mean + sigma phi(z) / Phi(z), which is more than `mean_Bps`.
    """
    assert mean_Bps > 0
    assert step_s > 0
    assert steps > 0
    rates_Bps = rng.normal(mean_Bps, sigma_Bps, steps)
    while (negative := rates_Bps < 0).any():
        rates_Bps[negative] = rng.normal(mean_Bps, sigma_Bps, negative.sum())
    return Profile(np.arange(steps) * step_s, rates_Bps, steps * step_s)
