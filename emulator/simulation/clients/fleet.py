"""Draws the links and speeds of all clients as arrays, from named random streams.

Client i draws the same quantile for any parameters of a distribution, so that variants of a
scenario differ by their settings and not by random draws.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from emulator.common.distributions import (
    Distribution,
    Floats,
    normal_cdf,
    normal_quantile,
    quantile,
)
from emulator.common.rng import stream
from emulator.network.capacity.base import CapacityModel
from emulator.network.tcp import Direction
from emulator.simulation.availability.always import Always
from emulator.simulation.availability.base import Availability, AvailabilitySettings
from emulator.simulation.clients.compute import Compute
from emulator.simulation.clients.links import AccessLink, Network, Ratio


@dataclass(frozen=True)
class Fleet:
    """Arrays with one entry per client. Rates are bytes/s from the client's point of view.

    A rate that changes in time is given by its long-term mean; its profile is in
    `emulator.simulation.clients.link_profiles`. `delay_s` is one-way, half the RTT; `loss` the
    probability that a segment is lost, in each direction. `group[i]` indexes `groups`, `device[i]`
    the group's devices (-1: none), `cell[i]` the cells (-1: none), which have one entry each in
    `cell_down_Bps`, `cell_up_Bps` and `cell_half_duplex`. `availability` is empty if all clients
    are always available; `resumes` says whether a client resumes its work when it returns;
    `max_rank` is the largest LoRA rank that it can hold (None: any). `seconds_per_example` is nan
    if it depends on the number of operations and that number is unknown.
    """

    down_Bps: Floats
    up_Bps: Floats
    delay_s: Floats
    loss: Floats
    half_duplex: NDArray[np.bool_]
    seconds_per_example: Floats
    group: NDArray[np.int64]
    groups: tuple[str, ...]
    device: NDArray[np.int64]
    cell: NDArray[np.int64]
    cell_down_Bps: Floats
    cell_up_Bps: Floats
    cell_half_duplex: NDArray[np.bool_]
    server_down_Bps: float
    server_up_Bps: float
    resumes: NDArray[np.bool_]
    availability: Sequence[Availability] = ()
    max_rank: Floats | None = None

    def availability_at(self, client: int, now_s: float) -> tuple[bool, float]:
        """Whether the client is available, and until when (inf: forever)."""
        return self.availability[client].at(now_s) if self.availability else (True, math.inf)

    def __len__(self) -> int:
        return len(self.down_Bps)


Source = Literal["devices", "table"]

# Limits of drawn values: a wide distribution must not give a link that transfers nothing.
MAX_LOSS = 0.5
MIN_RATE = 1.0  # bits/s


def correlated(u: Floats, v: Floats, rho: float) -> Floats:
    """Uniforms correlated with `u` by a Gaussian copula of correlation `rho`; the rest is from `v`.

    All float64 [n]; `u` and `v` are independent. The rank correlation (Spearman) with `u` is
    6 / pi * asin(rho / 2).
    """
    if not rho:
        return v
    return normal_cdf(rho * normal_quantile(u) + (1 - rho**2) ** 0.5 * normal_quantile(v))


def counts_by_share(shares: Mapping[str, float], n: int) -> dict[str, int]:
    """Divides `n` clients by largest remainder; shares are relative, ties go to the first group."""
    total = sum(shares.values())
    exact = {name: n * share / total for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: n - sum(counts.values())]:
        counts[name] += 1
    return counts


def draw_fleet(
    network: Network,
    compute: Compute | None,
    clients: int,
    seed: int,
    flop_per_example: float | None = None,
    rank_seed: int | None = None,
) -> Fleet:
    """Draws the fleet of `clients` that a scenario's network describes; deterministic in `seed`.

    `flop_per_example` are the operations of training on one example, needed for devices given by
    their speed. The assignment of clients to groups is shuffled. `rank_seed` (None: `seed`) draws
    the ranks that clients can hold, because these decide which clients take part in a training.
    """
    groups, counts = network.accesses, {"clients": clients}
    if network.groups:
        counts = counts_by_share({k: g.share for k, g in network.groups.items()}, clients)
    index = np.repeat(np.arange(len(groups)), list(counts.values()))
    stream(seed, "groups").shuffle(index)

    compute_time = 0.0 if compute is None else compute.distribution()
    by_speed = compute is not None and compute.speed is not None
    quantities = ("down", "up", "rtt", "loss", "compute", "device")
    drawn = {quantity: np.empty(clients) for quantity in quantities}
    for number, access in enumerate(groups.values()):
        members = np.flatnonzero(index == number)
        found = _draw(access, compute_time, by_speed, members, clients, seed, number)
        for quantity, values in found.items():
            drawn[quantity][members] = values
    if compute and compute.speed is not None and compute.utilisation is not None:
        flop = math.nan if flop_per_example is None else flop_per_example
        drawn["compute"] = flop / (drawn["compute"] * compute.utilisation)
    max_rank, presence = None, [access.availability for access in groups.values()]
    if compute and compute.max_rank is not None:
        max_rank = quantile(
            compute.max_rank,
            stream(seed if rank_seed is None else rank_seed, "max rank").random(clients),
        )
    return Fleet(
        down_Bps=drawn["down"] / 8,
        up_Bps=drawn["up"] / 8,
        delay_s=drawn["rtt"] / 2,
        loss=drawn["loss"].clip(max=MAX_LOSS),
        half_duplex=np.array([access.half_duplex for access in groups.values()])[index],
        seconds_per_example=drawn["compute"],
        group=index.astype(np.int64),
        groups=tuple(groups),
        device=drawn["device"].astype(np.int64),
        resumes=np.array([each is None or each.on_return == "resume" for each in presence])[index],
        max_rank=max_rank,
        availability=_LazyAvailability(presence, index, seed) if any(presence) else (),
        **_cells(list(groups.values()), index, seed),
        server_down_Bps=_shared(network.server.down, seed, "server/down").item(),
        server_up_Bps=_shared(network.server.up, seed, "server/up").item(),
    )


def _draw(
    access: AccessLink,
    compute_time: Distribution | Literal["devices"],
    by_speed: bool,
    members: NDArray[np.intp],
    clients: int,
    seed: int,
    number: int,
) -> dict[str, Floats]:
    """{quantity: float64 [members]} of the clients in group `number`; rates in bits/s.

    `compute_time` is a distribution of speed if `by_speed`: then slow clients draw low quantiles.
    """

    def uniforms(quantity: str) -> Floats:
        counters = () if quantity == "compute" else (number,)  # compute is common to all groups
        # All clients draw and members are picked, so that groups do not affect each other.
        own = stream(seed, quantity, *counters).random(clients)[members]
        rho = 0.0 if quantity == "down" else getattr(access.correlation, quantity)
        return correlated(uniforms("down"), own, rho) if rho else own

    device: NDArray[np.int64] = np.full(len(members), -1)
    if access.devices:
        n = len(access.devices.table)
        device = (n * uniforms("down")).astype(np.int64).clip(max=n - 1)

    def drawn(rate: Distribution | CapacityModel | Source, way: Direction) -> Floats:
        if rate == "devices":
            assert access.devices
            return np.take(access.devices.rates(way), device)
        return of_row(way) if rate == "table" else _mean_rate(rate, uniforms(way))

    def of_row(column: str) -> Floats:
        assert access.table
        return np.take(access.table.column(column), access.table.rows(uniforms("down")))

    down = drawn(access.down, "down").clip(min=MIN_RATE)
    if isinstance(access.up, Ratio):
        up = down * quantile(access.up.ratio, uniforms("up"))
    else:
        up = drawn(access.up, "up")
    if compute_time == "devices":
        assert access.devices
        compute = np.take(access.devices.seconds(), device)
    else:
        u = uniforms("compute")
        compute = quantile(compute_time, 1 - u if by_speed else u)
    return {
        "down": down,
        "up": up.clip(min=MIN_RATE),
        "rtt": of_row("rtt") if access.rtt == "table" else quantile(access.rtt, uniforms("rtt")),
        "loss": quantile(access.loss, uniforms("loss")),
        "compute": compute,
        "device": device.astype(np.float64),
    }


def _mean_rate(rate: Distribution | CapacityModel, u: Floats) -> Floats:
    """Long-term mean rate at each of the probabilities `u`, bits/s."""
    if isinstance(rate, CapacityModel):
        return 8 * rate.shape_mean * quantile(rate.level, u)
    return quantile(rate, u)


def _shared(
    rate: Distribution | CapacityModel, seed: int, purpose: str, *counters: int, n: int = 1
) -> Floats:
    """Rates of `n` shared links, bytes/s, float64 [n]."""
    rates: Floats = _mean_rate(rate, stream(seed, purpose, *counters).random(n)).clip(min=MIN_RATE)
    return rates / 8


class _LazyAvailability(Sequence[Availability]):
    """The availability of each client, from its own random stream, built on first use.

    In a fleet of a million clients, only the rates of most clients are used.
    """

    def __init__(
        self, settings: list[AvailabilitySettings | None], group: NDArray[np.int64], seed: int
    ) -> None:
        self._settings, self._group, self._seed = settings, group, seed
        self._made: dict[int, Availability] = {}

    def __len__(self) -> int:
        return len(self._group)

    def __getitem__(self, client: Any) -> Any:
        if client not in self._made:
            settings = self._settings[self._group.item(client)]
            rng = stream(self._seed, "availability", client)
            self._made[client] = settings.build(rng) if settings else Always()
        return self._made[client]


def _cells(
    groups: list[AccessLink], index: NDArray[np.int64], seed: int
) -> dict[str, NDArray[Any]]:
    """The four fields of `Fleet` about cells; the clients of a group fill its cells in order."""
    cell = np.full(len(index), -1, np.int64)
    down, up = [np.empty(0)], [np.empty(0)]
    half_duplex: list[bool] = []
    for number, access in enumerate(groups):
        if access.cells is None:
            continue
        members = np.flatnonzero(index == number)
        cell[members] = len(half_duplex) + np.arange(len(members)) // access.cells.clients
        n = -(-len(members) // access.cells.clients)
        down.append(_shared(access.cells.down, seed, "cell/down", number, n=n))
        up.append(_shared(access.cells.up, seed, "cell/up", number, n=n))
        half_duplex += [access.cells.half_duplex] * n
    return {
        "cell": cell,
        "cell_down_Bps": np.concatenate(down),
        "cell_up_Bps": np.concatenate(up),
        "cell_half_duplex": np.array(half_duplex, bool),
    }
