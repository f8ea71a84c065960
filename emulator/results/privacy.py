"""Client-level (epsilon, delta) of a training, by Google's dp-accounting.

The accountant gets the sampling that the rounds use:

    fixed     `cohort` of `clients` without replacement. Neighbours differ in one client that is
              replaced: Renyi bounds of Wang, Balle, Kasiviswanathan 2019 (arXiv 1808.00087)
    poisson   each client independently. Neighbours differ in one client that is added or removed:
              privacy loss distributions, which are tight (Koskela et al. 2020, arXiv 1906.03049)
"""

from dataclasses import dataclass
from typing import Any

from emulator.common.errors import SupportError

_LOSS_STEP = 1e-3  # discretised privacy loss; 1e-4 changes the fifth digit, 10 times slower


@dataclass(frozen=True, slots=True)
class Account:
    """Input of the accountant. `noise` is in units of the clipping bound."""

    noise: float
    delta: float
    sampling: str
    clients: int
    cohort: int


def accountant() -> Any:
    """Return the dp_accounting library. Raises SupportError if it is not installed."""
    try:
        import dp_accounting
        from dp_accounting import pld, rdp  # noqa: F401  # submodules, not loaded above
    except ImportError as error:
        raise SupportError(
            f"found no accountant for training.dp: {error}",
            "pip install 'flasc-emu[dp]', or remove training.dp",
        ) from error
    return dp_accounting


def epsilon(account: Account, rounds: int) -> float:
    """Return epsilon at the account's delta after `rounds` rounds. Raises SupportError."""
    if not rounds:
        return 0.0
    library = accountant()
    neighbours = library.NeighboringRelation
    if account.sampling == "poisson":
        event = library.PoissonSampledDpEvent(
            account.cohort / account.clients, library.GaussianDpEvent(account.noise)
        )
        found = library.pld.PLDAccountant(neighbours.ADD_OR_REMOVE_ONE, _LOSS_STEP)
    else:
        # Replacing a client moves the sum by up to two bounds, and this accountant measures noise
        # in units of that sensitivity.
        event = library.SampledWithoutReplacementDpEvent(
            account.clients, account.cohort, library.GaussianDpEvent(account.noise / 2)
        )
        found = library.rdp.RdpAccountant(neighboring_relation=neighbours.REPLACE_ONE)
    return float(found.compose(event, rounds).get_epsilon(account.delta))


def describe(account: Account, rounds: int) -> str:
    """Return 'epsilon 2.67 at delta 1e-05 ...'. Raises SupportError."""
    how = "without replacement" if account.sampling == "fixed" else "by Poisson sampling"
    return (
        f"epsilon {epsilon(account, rounds):.3g} at delta {account.delta:g} after {rounds} rounds "
        f"(noise {account.noise:g}, {account.cohort} of {account.clients} clients {how})"
    )
