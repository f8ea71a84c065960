"""Lower bounds of the time until updates arrive: no simulation of these clients is faster.

A client's own bound has latency, handshakes and slow start, and its bytes at the best rate of its
path. Links that clients share have the bytes of all updates. Compute time is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emulator.common.distributions import Floats
from emulator.network.application import Application
from emulator.network.capacity.base import CapacityModel
from emulator.network.capacity.normal import NormalRate
from emulator.network.least_time import latency_s, later_turns_s, sent_bytes, slow_start_s
from emulator.network.tcp import Direction
from emulator.simulation.clients.fleet import Fleet
from emulator.simulation.clients.links import AccessLink, Network, Ratio

AGAINST: dict[Direction, Direction] = {"down": "up", "up": "down"}


@dataclass(frozen=True)
class _Path:
    """Bounds of the links that messages in one direction cross, bytes/s."""

    lowest_Bps: Floats  # [clients], of the whole path
    highest_Bps: Floats
    cell_Bps: Floats  # [cells], highest
    server_Bps: float  # highest

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Whether the rate of a client's path never changes."""
        return np.equal(self.lowest_Bps, self.highest_Bps)


class LeastTimes:
    """Bounds for the clients of a fleet that was drawn of `network`."""

    def __init__(self, network: Network, fleet: Fleet) -> None:
        self._fleet, self._tcp = fleet, network.transport.model()
        self._application = network.application.model() or Application()
        self._paths = {way: _path(network, fleet, way) for way in AGAINST}

    def updates_s(self, nbytes: Mapping[Direction, int], members: NDArray[np.int64]) -> Floats:
        """Seconds until 1, 2, ... updates of `members` have arrived, [members], if all start at 0.

        `nbytes` are those of the smallest message in each direction.
        """
        wait, alone, shared = {}, {}, {}
        for way, path in self._paths.items():
            wait[way], alone[way] = self._alone(way, path, nbytes[way], members)
            shared[way] = self._shared(path, nbytes[way], members)
        after_downloads_s = wait["down"].min() + shared["down"] + alone["up"].min()
        after_uploads_s = alone["down"].min() + wait["up"].min() + shared["up"]
        own_s = np.sort(alone["down"] + alone["up"])
        least_s: Floats = np.maximum(own_s, np.maximum(after_downloads_s, after_uploads_s))
        return least_s

    def _alone(
        self, way: Direction, path: _Path, nbytes: int, members: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """(seconds before bytes move, seconds of the whole message) of each of `members` alone."""
        tcp, application = self._tcp, self._application
        rtt_s, best_Bps = 2 * self._fleet.delay_s[members], path.highest_Bps[members]
        lowest_Bps = path.lowest_Bps[members]
        wait_s = latency_s(tcp, way, nbytes, rtt_s, lowest_Bps, application)
        idle_s = later_turns_s(tcp, way, nbytes, rtt_s, lowest_Bps, application)
        # Where rates change or segments are lost, slow start may end earlier.
        is_simple = path.constant[members] & (self._fleet.loss[members] == 0)
        stalls_s = slow_start_s(tcp, nbytes, rtt_s, best_Bps, application)
        idle_s += np.where(is_simple, stalls_s, 0.0)
        return wait_s, wait_s + idle_s + sent_bytes(tcp, nbytes, application) / best_Bps

    def _shared(self, path: _Path, nbytes: int, members: NDArray[np.int64]) -> Floats:
        """Seconds in which the shared links carry 1, 2, ... messages of `members`, [members]."""
        wire_B = sent_bytes(self._tcp, nbytes, self._application)
        cell = self._fleet.cell[members]
        server_s = np.arange(1, len(members) + 1) * wire_B / path.server_Bps
        # The n-th message of a cell takes n times as long as one; any order of cells is possible.
        cell = np.sort(cell[cell >= 0])
        _, first, counts = np.unique(cell, return_index=True, return_counts=True)
        place = np.arange(1, len(cell) + 1) - np.repeat(first, counts)
        cell_s = np.zeros(len(members))
        cell_s[: len(cell)] = place * wire_B / path.cell_Bps[cell]
        return np.maximum(server_s, np.sort(cell_s))


def _path(network: Network, fleet: Fleet, way: Direction) -> _Path:
    accesses = list(network.accesses.values())
    server_Bps = getattr(fleet, f"server_{AGAINST[way]}_Bps")
    server_low, server_high = (
        server_Bps * factor for factor in _factors(getattr(network.server, AGAINST[way]))
    )
    low, high = np.empty(len(fleet)), np.empty(len(fleet))
    rates_Bps, cells_Bps = getattr(fleet, f"{way}_Bps"), getattr(fleet, f"cell_{way}_Bps")
    cell_high = np.empty(len(cells_Bps))
    for number, access in enumerate(accesses):
        of = np.flatnonzero(fleet.group == number)
        factors = _own_factors(access, way, fleet.device[of])
        low[of] = np.minimum(rates_Bps[of] * factors[0], server_low)
        high[of] = np.minimum(rates_Bps[of] * factors[1], server_high)
        if access.cells and len(of):
            cell = fleet.cell[of]
            cell_low, cell_factor = _factors(getattr(access.cells, way))
            cell_high[cell] = cells_Bps[cell] * cell_factor
            low[of] = np.minimum(low[of], cells_Bps[cell] * cell_low)
            high[of] = np.minimum(high[of], cell_high[cell])
    return _Path(low, high, cell_high, server_high)


def _own_factors(
    access: AccessLink, way: Direction, device: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """(lowest, highest) rate of each client's own link, relative to its mean, [clients]."""
    rate = access.down if isinstance(getattr(access, way), Ratio) else getattr(access, way)
    if rate == "devices" and access.devices:
        of = "down" if isinstance(getattr(access, way), Ratio) else way
        each = [_factors(access.devices.redrawn(n, of)) for n in range(len(access.devices.table))]
        low, high = np.array(each)[device].T
        return low, high
    low_factor, high_factor = _factors(rate)
    return np.full(len(device), low_factor), np.full(len(device), high_factor)


def _factors(rate: object) -> tuple[float, float]:
    """(lowest, highest) rate of a link, relative to its mean."""
    if not isinstance(rate, CapacityModel | NormalRate):
        return 1.0, 1.0
    low_Bps, high_Bps = rate.shape_range
    return min(low_Bps / rate.shape_mean, 1.0), max(high_Bps / rate.shape_mean, 1.0)
