"""The links of some clients of a fleet, as the compiled network wants them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from emulator.network.capacity.profile import Profile
from emulator.network.compiled import layout
from emulator.network.compiled.layout import ProfileTable, World
from emulator.network.tcp import Direction, Tcp, base_rtts, segment_bytes
from emulator.network.topology import LinkName, Profiles
from emulator.simulation.clients.fleet import Fleet

Clients = NDArray[np.int64]


def build(
    fleet: Fleet,
    clients: Clients,
    transport: Tcp | None,
    profiles: Profiles | None,
    *,
    slots: int,
    rows: int,
    given: int = 0,
) -> World:
    """A world of `clients` (int64, distinct), which are numbered from 0 in it, over `transport`.

    `slots` of them work at a time, and `rows` rows are kept. With room for `given` flights a slot,
    flights are asked for.
    """
    cells, cell = np.unique(fleet.cell[clients], return_inverse=True)
    is_celled = cells >= 0
    cells, first = cells[is_celled], int((~is_celled).sum())
    party = np.where(cell >= first, len(clients) + cell - first, -1)
    down_Bps = np.append(fleet.down_Bps[clients], fleet.cell_down_Bps[cells])
    up_Bps = np.append(fleet.up_Bps[clients], fleet.cell_up_Bps[cells])
    server_Bps = np.array([[fleet.server_up_Bps], [fleet.server_down_Bps]])
    table = None
    if profiles is not None:
        table = _table([profiles.get(link) for link in _names(clients, cells)])
    link_Bps = np.hstack([np.stack([down_Bps, up_Bps]), server_Bps])
    half_duplex = np.append(fleet.half_duplex[clients], fleet.cell_half_duplex[cells])
    flags = np.append(half_duplex, False).astype(np.int64)
    delay_s = fleet.delay_s[clients]
    world = layout.build(link_Bps, delay_s, party, flags, slots, rows, table, given)
    if given:
        world.i[layout.TRANSPORT] = layout.GIVEN
    elif transport is not None:
        _use_tcp(world, transport)
    return world


def _names(clients: Clients, cells: Clients) -> Iterator[LinkName]:
    """The links of a world in its order."""
    ways: tuple[tuple[Direction, Direction], ...] = ("down", "up"), ("up", "down")
    for way, of_server in ways:
        for client in clients.tolist():
            yield "client", way, client
        for cell in cells.tolist():
            yield "cell", way, cell
        yield "server", of_server, 0


def _table(found: list[Profile | None]) -> ProfileTable:
    """The profiles of all links; those that share their pieces do so in the table."""
    profiles = [profile.pieces() for profile in found if profile is not None]
    of_link = np.cumsum([profile is not None for profile in found]) - 1
    of_link[[profile is None for profile in found]] = -1
    first: dict[int, int] = {}
    times_s: list[float] = []
    rates_Bps: list[float] = []
    for each in profiles:
        if id(each.times_s) not in first:
            first[id(each.times_s)] = len(times_s)
            times_s += each.times_s
            rates_Bps += each.rates_Bps
    return ProfileTable(
        of_link=of_link.astype(np.int64),
        first=np.array([first[id(each.times_s)] for each in profiles], np.int64),
        pieces=np.array([len(each.times_s) for each in profiles], np.int64),
        period_s=np.array([each.period_s or 0.0 for each in profiles]),
        offset_s=np.array([each.offset_s for each in profiles]),
        scale=np.array([each.scale for each in profiles]),
        mean_Bps=np.array([profile.mean for profile in found if profile is not None]),
        times_s=np.array(times_s),
        rates_Bps=np.array(rates_Bps),
    )


def _use_tcp(world: World, tcp: Tcp) -> None:
    f, i = world
    i[layout.TRANSPORT] = layout.TCP
    i[layout.SLOW_START], i[layout.TOKEN_BUCKET] = tcp.slow_start, tcp.token_bucket
    f[layout.DOWN_RTTS], f[layout.UP_RTTS] = base_rtts(tcp, "down"), base_rtts(tcp, "up")
    f[layout.OVERHEAD_B], f[layout.MSS_B] = tcp.overhead_B * tcp.headers, tcp.mss_B
    f[layout.SEGMENT_B] = segment_bytes(tcp)
    f[layout.INITIAL_B] = tcp.initial_window * segment_bytes(tcp)
