"""What a report shows of a study beside its results: densities of methods, rates of clients.

Found once, when a run begins, because a law may read a file that a ledger's reader lacks.
"""

from dataclasses import asdict, dataclass

import numpy as np

from emulator.common.distributions import Floats
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import Study
from emulator.simulation.clients import fleet
from flasc.training.settings import Method

POINTS = 51  # of a distribution: every second percentile, or every client where there are fewer


@dataclass(frozen=True, slots=True)
class Group:
    """One group of clients. Rates in bytes/s as the client sees them: quantiles at even steps
    from the smallest to the largest, or one where all are alike."""

    name: str
    clients: int
    down_Bps: list[float]
    up_Bps: list[float]


def densities(study: Study) -> dict[str, tuple[float, float]]:
    """{method: (down, up)}, the shares of entries sent, of methods that differ by these alone.

    Dense LoRA is (1, 1). A method with a rank of its own sends shares of something else.
    """
    methods = {name: study.scenario.methods[name] for name in study.methods}
    found = {name: _densities(method) for name, method in methods.items() if method.rank is None}
    return {name: pair for name, pair in found.items() if pair}


def _densities(method: Method) -> tuple[float, float] | None:
    if method.kind == "lora":
        return 1.0, 1.0
    if getattr(method, "gamma", 1) != 1:  # a schedule has no one density
        return None
    both = getattr(method, "density", None)
    down, up = getattr(method, "down", both), getattr(method, "up", both)
    return (down, up) if isinstance(down, float) and isinstance(up, float) else None


def fleets(study: Study) -> dict[str, list[dict[str, object]]]:
    """{variant: its groups as in `Group`}, as the first seed draws them."""
    return {label: [asdict(group) for group in _groups(s)] for label, s in study.variants.items()}


def _groups(scenario: Scenario) -> list[Group]:
    clients = fleet.build(
        scenario.network, scenario.compute, scenario.task.clients, scenario.training.seeds[0]
    )
    members = [clients.group == number for number in range(len(clients.groups))]
    return [
        Group(name, int(of.sum()), _quantiles(clients.down_Bps[of]), _quantiles(clients.up_Bps[of]))
        for name, of in zip(clients.groups, members, strict=True)
        if of.any()
    ]


def _quantiles(values: Floats) -> list[float]:
    if values.min() == values.max():
        return [float(values[0])]
    steps = np.linspace(0, 1, min(len(values), POINTS))
    return [float(f"{value:.5g}") for value in np.quantile(values, steps)]
