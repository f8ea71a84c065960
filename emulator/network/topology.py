"""The links of a star with cells: the path of each message, and capacities in time.

Every client, every cell and the server has one link per direction; a half-duplex party has one
more, its medium, which both directions cross. Cells are between clients and the server.
"""

import math
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emulator.network.capacity.profile import Profile
from emulator.network.tcp import Direction

Party = Literal["client", "cell", "server"]
LinkName = tuple[Party, Direction, int]  # party, direction from its point of view, its index


class Profiles(Protocol):
    """Profiles by link."""

    def get(self, link: LinkName, /) -> Profile | None:
        """Returns the link's profile, the same each time; None if its rate is constant."""


class Links:
    """Link numbers, paths and capacities in time. No SimPy, no flows.

    A medium has the capacity of the faster of its two directions. That is exact if both are equally
    fast, or if one is used at a time.
    """

    def __init__(
        self,
        up_Bps: ArrayLike,
        down_Bps: ArrayLike,
        server_down_Bps: float,
        server_up_Bps: float,
        *,
        cell: ArrayLike | None = None,
        cell_up_Bps: ArrayLike = (),
        cell_down_Bps: ArrayLike = (),
        cell_half_duplex: ArrayLike | None = None,
        half_duplex: ArrayLike | None = None,
        profiles: Profiles | None = None,
    ) -> None:
        """Arguments as in `Network`."""
        self._clients, cells = len(np.atleast_1d(up_Bps)), len(np.atleast_1d(cell_up_Bps))
        self._parties = self._clients + cells  # without the server
        assert np.shape(up_Bps) == np.shape(down_Bps) == (self._clients,)
        assert np.shape(cell_up_Bps) == np.shape(cell_down_Bps) == (cells,)
        cell = np.array(np.full(self._clients, -1) if cell is None else cell, np.int64)
        assert cell.shape == (self._clients,)
        assert ((cell >= -1) & (cell < cells)).all(), "a cell is an index, or -1"
        half_duplex = np.concatenate(
            [_flags(half_duplex, self._clients), _flags(cell_half_duplex, cells)]
        )
        # Lists, since each message reads one element: numpy takes several times as long for that.
        self._cell: list[int] = cell.tolist()
        self._half_duplex: list[bool] = half_duplex.tolist()
        self._profiles = profiles
        # Order: up of every party, down of every party, media if any, the server's two links. The
        # flow engine uses the last link that all flows of a star cross as its hub.
        up, down = np.concatenate([up_Bps, cell_up_Bps]), np.concatenate([down_Bps, cell_down_Bps])
        media = np.maximum(up, down) if half_duplex.any() else ()
        self.capacity_Bps = np.concatenate([up, down, media, [server_down_Bps, server_up_Bps]])
        assert (self.capacity_Bps > 0).all()
        self._server_down = len(self.capacity_Bps) - 2
        # Of clients that sent or received.
        self._paths: dict[tuple[int, Direction], tuple[int, ...]] = {}

    def path(self, client: int, direction: Direction) -> tuple[int, ...]:
        """The links that a message between `client` and the server crosses, in this order."""
        if (found := self._paths.get((client, direction))) is None:
            found = self._paths[client, direction] = self._path(client, direction)
        return found

    def _path(self, client: int, direction: Direction) -> tuple[int, ...]:
        assert 0 <= client < self._clients, f"client {client} of {self._clients}"
        cell, way = self._cell[client], 0 if direction == "up" else self._parties
        links = []
        for party in (client,) if cell < 0 else (client, self._clients + cell):
            links.append(way + party)
            if self._half_duplex[party]:
                links.append(2 * self._parties + party)
        if direction == "up":
            return *links, self._server_down
        return self._server_down + 1, *reversed(links)

    def varying(self, path: tuple[int, ...]) -> tuple[int, ...]:
        """Links of the path whose capacity changes in time."""
        if self._profiles is None:
            return ()
        return tuple(link for link in path if any(self._ways(link).values()))

    def piece(self, link: int, now_s: float) -> tuple[float, float]:
        """(capacity in bytes/s at `now_s`, its end: after `now_s`, inf if it never changes)."""
        pieces = [
            profile.piece(now_s) if profile else (self.capacity_Bps.item(way), math.inf)
            for way, profile in self._ways(link).items()
        ]
        return max(rate for rate, _ in pieces), min(until_s for _, until_s in pieces)

    def alone(self, path: tuple[int, ...], now_s: float) -> float:
        """Rate of a flow alone on the path at `now_s`, bytes/s, above zero.

        A rate that is zero at `now_s` is replaced by its long-term mean.
        """
        # A medium is never slower than both its directions.
        ways = [link for link in path if not self._medium(link)]
        rates_Bps: list[float] = [self.capacity_Bps.item(way) for way in ways]
        if self._profiles is None:
            return min(rates_Bps)
        return min(
            (profile.rate_at(now_s) or profile.mean)
            if (profile := self._profile(way))
            else rate_Bps
            for way, rate_Bps in zip(ways, rates_Bps, strict=True)
        )

    def _medium(self, link: int) -> bool:
        return 2 * self._parties <= link < self._server_down

    def _ways(self, link: int) -> dict[int, Profile | None]:
        """The link itself, or the two directions of a medium, each with its profile."""
        party = link - 2 * self._parties
        ways = (party, self._parties + party) if self._medium(link) else (link,)
        return {way: self._profile(way) for way in ways}

    def _profile(self, way: int) -> Profile | None:
        return self._profiles.get(self._name(way)) if self._profiles is not None else None

    def _name(self, link: int) -> LinkName:
        if link >= self._server_down:
            return "server", "down" if link == self._server_down else "up", 0
        down, party = divmod(link, self._parties)
        direction: Direction = "down" if down else "up"
        if party < self._clients:
            return "client", direction, party
        return "cell", direction, party - self._clients


def _flags(given: ArrayLike | None, count: int) -> NDArray[np.bool_]:
    flags = np.zeros(count, dtype=bool) if given is None else np.array(given, dtype=bool)
    assert flags.shape == (count,)
    return flags
