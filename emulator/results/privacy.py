"""What a training's noise is worth: client-level (epsilon, delta), by Google's dp-accounting.

The accountant is told the sampling that the rounds really do:

    fixed     `cohort` of `clients` without replacement. Neighbours differ in one client that is
              replaced: Renyi bounds of Wang, Balle, Kasiviswanathan 2019 (arXiv 1808.00087)
    poisson   each client by itself. Neighbours differ in one client that is added or removed:
              privacy loss distributions, which are tight (Koskela et al. 2020, arXiv 1906.03049)
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.common.errors import SupportError

if TYPE_CHECKING:
    pass

_LOSS_STEP = 1e-3  # of the discretised privacy loss; 1e-4 changes the fifth digit, ten times slower


@dataclass(frozen=True, slots=True)
class Account:
    """What an accountant has to know. `noise` is in units of the clipping bound."""

    noise: float
    delta: float
    sampling: str
    clients: int
    cohort: int


def accountant() -> Any:
    """The library that accounts. Raises SupportError where it is not installed."""
    try:
        import dp_accounting
        from dp_accounting import pld, rdp  # noqa: F401  # submodules, not loaded by the first
    except ImportError as error:
        raise SupportError(
            f"privacy needs an accountant, which cannot be imported: {error}",
            "pip install 'flasc-emu[dp]', or leave training.dp out",
        ) from error
    return dp_accounting


def epsilon(account: Account, rounds: int) -> float:
    """Epsilon at the account's delta after so many rounds. Raises SupportError."""
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
        # One client in place of another moves the sum by up to two bounds, and this accountant
        # counts noise in units of what the sum may move by.
        event = library.SampledWithoutReplacementDpEvent(
            account.clients, account.cohort, library.GaussianDpEvent(account.noise / 2)
        )
        found = library.rdp.RdpAccountant(neighboring_relation=neighbours.REPLACE_ONE)
    return float(found.compose(event, rounds).get_epsilon(account.delta))


def describe(account: Account, rounds: int) -> str:
    """'epsilon 2.67 at delta 1e-05 ...' for a terminal. Raises SupportError."""
    how = "without replacement" if account.sampling == "fixed" else "by Poisson sampling"
    return (
        f"epsilon {epsilon(account, rounds):.3g} at delta {account.delta:g} after {rounds} rounds "
        f"(noise {account.noise:g}, {account.cohort} of {account.clients} clients {how})"
    )
