"""From a scenario to one client's link and speed: arrays, drawn from named streams.

Client i draws the same quantile whatever the law's parameters are, so that variants of a scenario
differ by what was varied and not by luck.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emulator.laws import Choice, Law, LogNormal, Uniform
from emulator.scenario import Access, Compute, Network

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fleet:
    """One entry a client. Rates are bytes a second as the client sees them.

    `delay_s` is one way, half the RTT; `loss` the
    probability that a segment is lost, each way. `group[i]` indexes `groups`.
    """

    down_Bps: Floats
    up_Bps: Floats
    delay_s: Floats
    loss: Floats
    seconds_per_example: Floats
    group: NDArray[np.int64]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.down_Bps)


MOST_LOSS = 0.5  # a heavy-tailed law must not reach a link that lets nothing through


def stream(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """The emulator's named random stream: Philox keyed by a digest of seed, purpose, counters."""
    text = "/".join(["emulator", str(seed), purpose, *map(str, counters)])
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return np.random.Generator(np.random.Philox(key))


def sample(law: Law, n: int, rng: np.random.Generator) -> Floats:
    """`n` draws of a law, float64 [n], in the law's unit."""
    match law:
        case Uniform():
            return rng.uniform(law.low, law.high, n)
        case LogNormal():
            draws: Floats = law.median * np.exp(law.sigma * rng.standard_normal(n))
            return draws
        case Choice():
            weights = np.asarray(law.weights or [1.0] * len(law.values), float)
            values: Floats = np.asarray(law.values, float)
            picked: Floats = values[
                np.searchsorted(
                    np.cumsum(weights / weights.sum()), rng.random(n), side="right"
                ).clip(max=len(law.values) - 1)
            ]
            return picked
        case _:
            return np.full(n, float(law))


def counts_by_share(shares: Mapping[str, float], n: int) -> dict[str, int]:
    """`n` clients over groups by largest remainder; shares are relative, ties go to the first."""
    total = sum(shares.values())
    exact = {name: n * share / total for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: n - sum(counts.values())]:
        counts[name] += 1
    return counts


def build(network: Network, compute: Compute | None, clients: int, seed: int) -> Fleet:
    """The fleet of `clients` that a scenario's network describes.

    Which client falls into which group is shuffled; everything follows from `seed`.
    """
    groups: Mapping[str, Access]
    if network.groups is None:
        assert network.clients is not None
        groups, counts = {"clients": network.clients}, {"clients": clients}
    else:
        groups = network.groups
        counts = counts_by_share({k: g.share for k, g in network.groups.items()}, clients)
    index = np.repeat(np.arange(len(groups)), list(counts.values()))
    stream(seed, "groups").shuffle(index)

    def drawn(purpose: str) -> Floats:
        values = np.empty(clients)
        for number, access in enumerate(groups.values()):
            # Every client draws and its group picks: a change of one group leaves the others be.
            draws = sample(getattr(access, purpose), clients, stream(seed, purpose, number))
            values[index == number] = draws[index == number]
        return values

    speed = 0.0 if compute is None else compute.per_example
    return Fleet(
        down_Bps=drawn("down") / 8,
        up_Bps=drawn("up") / 8,
        delay_s=drawn("rtt") / 2,
        loss=drawn("loss").clip(max=MOST_LOSS),
        seconds_per_example=sample(speed, clients, stream(seed, "compute")),
        group=index.astype(np.int64),
        groups=tuple(groups),
    )
