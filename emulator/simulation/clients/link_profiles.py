"""From a scenario to the profile of one link: made when a message is to cross it, not before.

A fleet says what a link carries in the long run (`emulator.simulation.clients.fleet`); a profile
says when.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from emulator.common.rng import stream
from emulator.network.capacity.base import CapacityModel
from emulator.network.capacity.normal import NormalRate
from emulator.network.capacity.profile import Profile
from emulator.network.tcp import Direction
from emulator.network.topology import LinkName
from emulator.simulation.clients.fleet import Fleet
from emulator.simulation.clients.links import AccessLink, Network, Ratio

WAYS: tuple[Direction, ...] = ("down", "up")


def changing(network: Network) -> list[str]:
    """What changes in time, in words: 'phone down by trace lte.csv'."""
    return list(_changing(network))


def _changing(network: Network) -> Iterator[str]:
    for name, access in network.accesses.items():
        for way in WAYS:
            law = getattr(access, way)
            if isinstance(law, CapacityModel):
                yield f"{name} {way} by {law}"
            elif law == "devices" and access.devices and access.devices.changes(way):
                yield f"{name} {way} by {access.devices}"
            elif isinstance(law, Ratio) and _down_changes(access):
                yield f"{name} up with down"
        for way in WAYS:
            if access.cells and isinstance(law := getattr(access.cells, way), CapacityModel):
                yield f"cells of {name} {way} by {law}"
    for way in WAYS:
        if isinstance(law := getattr(network.server, way), CapacityModel):
            yield f"server {way} by {law}"


def _down_changes(access: AccessLink) -> bool:
    if access.down == "devices" and access.devices:
        return access.devices.changes("down")
    return isinstance(access.down, CapacityModel)


def build_profiles(network: Network, fleet: Fleet, seed: int) -> "LinkProfiles | None":
    """The profiles of a fleet that was built of `network` with `seed`; None if nothing changes."""
    return LinkProfiles(network, fleet, seed) if changing(network) else None


class LinkProfiles:
    """Profiles by link; what was made is kept.

    A client's offset is drawn from stream `offset/client`, so that both its ways are read from the
    same place, and what is drawn of a way from `rate/client/WAY`; cells and the server alike.
    """

    def __init__(self, network: Network, fleet: Fleet, seed: int) -> None:
        """As `build_profiles` has it."""
        self._network, self._fleet, self._seed = network, fleet, seed
        self._accesses = list(network.accesses.values())
        self._group_of_cell: NDArray[np.int64] = np.zeros(len(fleet.cell_up_Bps), np.int64)
        celled = fleet.cell >= 0
        self._group_of_cell[fleet.cell[celled]] = fleet.group[celled]
        self._made: dict[LinkName, Profile | None] = {}

    def get(self, link: LinkName, /) -> Profile | None:
        """The link's profile, the same each time; None if its rate is constant."""
        if link not in self._made:
            self._made[link] = self._make(link)
        return self._made[link]

    def _make(self, link: LinkName) -> Profile | None:
        party, way, index = link
        rate_Bps = getattr(self._fleet, f"{'' if party == 'client' else party + '_'}{way}_Bps")
        level_Bps = float(np.atleast_1d(rate_Bps)[index])
        if (law := self._law(link)) is None:
            return None
        if isinstance(law, Ratio):
            down = self.get(("client", "down", index))
            return down and down.scaled(level_Bps / float(self._fleet.down_Bps[index]))
        rng = stream(self._seed, f"rate/{party}/{way}", index)
        u = stream(self._seed, f"offset/{party}", index).random()
        return law.shape(rng, u).scaled(level_Bps / law.shape_mean)

    def _law(self, link: LinkName) -> CapacityModel | NormalRate | Ratio | None:
        party, way, index = link
        owner: object = self._network.server
        if party == "client":
            access: AccessLink = self._accesses[int(self._fleet.group[index])]
            if getattr(access, way) == "devices" and access.devices:
                return access.devices.redrawn(int(self._fleet.device[index]), way)
            owner = access
        elif party == "cell":
            owner = self._accesses[int(self._group_of_cell[index])].cells
        law: object = getattr(owner, way)
        return law if isinstance(law, Ratio | CapacityModel) else None
