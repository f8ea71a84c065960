"""Draws the capacity profile of a link when a message first crosses it.

`emulator.simulation.clients.fleet` has the long-term mean of each rate; a profile has its changes
in time.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self, override

from emulator.common.rng import stream
from emulator.network.capacity.base import CapacityModel
from emulator.network.capacity.normal import NormalRate
from emulator.network.capacity.profile import Profile
from emulator.network.capacity.trace import Trace
from emulator.network.tcp import Direction
from emulator.network.topology import LinkName, Profiles
from emulator.simulation.clients.fleet import Fleet
from emulator.simulation.clients.links import AccessLink, Network, Ratio

WAYS: tuple[Direction, ...] = ("down", "up")


def changing(network: Network) -> list[str]:
    """Phrases for the rates that change in time, like 'phone down by trace lte.csv'."""
    return list(_changing(network))


def _changing(network: Network) -> Iterator[str]:
    for name, access in network.accesses.items():
        for way in WAYS:
            rate = getattr(access, way)
            if isinstance(rate, CapacityModel):
                yield f"{name} {way} by {rate}"
            elif rate == "devices" and access.devices and access.devices.changes(way):
                yield f"{name} {way} by {access.devices}"
            elif isinstance(rate, Ratio) and _down_changes(access):
                yield f"{name} up with down"
        for way in WAYS:
            if access.cells and isinstance(rate := getattr(access.cells, way), CapacityModel):
                yield f"cells of {name} {way} by {rate}"
    for way in WAYS:
        if isinstance(rate := getattr(network.server, way), CapacityModel):
            yield f"server {way} by {rate}"


def traces(network: Network) -> list[Trace]:
    """The traces of all links."""
    owners: list[Any] = [network.server, *network.accesses.values()]
    owners += [access.cells for access in network.accesses.values() if access.cells]
    rates = [getattr(owner, way) for owner in owners for way in WAYS]
    return [rate for rate in rates if isinstance(rate, Trace)]


def _down_changes(access: AccessLink) -> bool:
    if access.down == "devices" and access.devices:
        return access.devices.changes("down")
    return isinstance(access.down, CapacityModel)


class LinkProfiles(Profiles):
    """Profiles by link, each drawn once, for a `fleet` that was drawn of `network` with `seed`.

    A client's offset is drawn from stream `offset/client`, so that both directions start at the
    same position; a direction is drawn from `rate/client/DIRECTION`. The same holds for cells and
    the server.
    """

    @classmethod
    def build(cls, network: Network, fleet: Fleet, seed: int) -> Self | None:
        """The profiles of a fleet; None if all rates are constant."""
        return cls(network, fleet, seed) if changing(network) else None

    def __init__(self, network: Network, fleet: Fleet, seed: int) -> None:
        self._network, self._fleet, self._seed = network, fleet, seed
        self._accesses = list(network.accesses.values())
        self._group_of_cell: NDArray[np.int64] = np.zeros(len(fleet.cell_up_Bps), np.int64)
        celled = fleet.cell >= 0
        self._group_of_cell[fleet.cell[celled]] = fleet.group[celled]
        self._made: dict[LinkName, Profile | None] = {}

    @override
    def get(self, link: LinkName, /) -> Profile | None:
        if link not in self._made:
            self._made[link] = self._make(link)
        return self._made[link]

    def mean_rate(self, link: LinkName, start_s: float, finish_s: float) -> float:
        """The mean rate of a link from `start_s` until `finish_s`, which is later, bytes/s."""
        if (profile := self.get(link)) is None:
            return self._level(link)
        return max(0.0, profile.bytes_between(start_s, finish_s) / (finish_s - start_s))

    def _level(self, link: LinkName) -> float:
        """The long-term mean rate of a link, bytes/s."""
        party, way, index = link
        rate_Bps = getattr(self._fleet, f"{'' if party == 'client' else party + '_'}{way}_Bps")
        return float(np.atleast_1d(rate_Bps)[index])

    def _make(self, link: LinkName) -> Profile | None:
        party, way, index = link
        level_Bps = self._level(link)
        if (model := self._model(link)) is None:
            return None
        if isinstance(model, Ratio):
            down = self.get(("client", "down", index))
            return down and down.scaled(level_Bps / float(self._fleet.down_Bps[index]))
        rng = stream(self._seed, f"rate/{party}/{way}", index)
        u = stream(self._seed, f"offset/{party}", index).random()
        return model.shape(rng, u).scaled(level_Bps / model.shape_mean)

    def _model(self, link: LinkName) -> CapacityModel | NormalRate | Ratio | None:
        party, way, index = link
        owner: object = self._network.server
        if party == "client":
            access: AccessLink = self._accesses[int(self._fleet.group[index])]
            if getattr(access, way) == "devices" and access.devices:
                return access.devices.redrawn(int(self._fleet.device[index]), way)
            owner = access
        elif party == "cell":
            owner = self._accesses[int(self._group_of_cell[index])].cells
        rate: object = getattr(owner, way)
        return rate if isinstance(rate, Ratio | CapacityModel) else None
