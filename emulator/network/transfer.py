"""Messages between a server and its clients, as SimPy events: `yield network.download(3, 40_000)`.

A star: a download crosses the server's sending side and the client's receiving side, an upload
the client's sending side and the server's receiving side. The two directions never share.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import simpy
from numpy.typing import ArrayLike

from emulator.network.fluid import Fluid


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message has arrived: when it was asked for, and when its last byte came. Seconds."""

    start_s: float
    finish_s: float


class Network:
    """The links of a star and the messages on them. Fluid transport: bytes, shares and delay.

    The whole network has one live timer, set to the next finish. SimPy cannot take a timer back,
    so each has a number, and only the latest one is listened to. Messages that finish at one
    instant are told of in the order in which their flows joined.
    """

    def __init__(
        self,
        env: simpy.Environment,
        up_Bps: ArrayLike,
        down_Bps: ArrayLike,
        delay_s: ArrayLike,
        server_down_Bps: float,
        server_up_Bps: float,
    ) -> None:
        """Lay out the links; up and down are each party's own view of its own access.

        | argument          | whose  | carries   | shape, dtype          |
        |-------------------|--------|-----------|-----------------------|
        | `up_Bps`          | client | uploads   | [clients] float, > 0  |
        | `down_Bps`        | client | downloads | [clients] float, > 0  |
        | `delay_s`         | client | both      | [clients] float, >= 0 |
        | `server_down_Bps` | server | uploads   | float, > 0: receives  |
        | `server_up_Bps`   | server | downloads | float, > 0: sends     |

        Rates are bytes/s; a delay is one way, seconds. Arrays are copied.
        """
        self._env = env
        self._delay_s = np.array(delay_s, dtype=np.float64)
        self._clients = len(self._delay_s)
        assert np.shape(up_Bps) == np.shape(down_Bps) == self._delay_s.shape == (self._clients,)
        assert (self._delay_s >= 0).all()
        # Links: every client's up, every client's down, the server's down, the server's up.
        capacities_Bps = np.concatenate([up_Bps, down_Bps, [server_down_Bps, server_up_Bps]])
        assert (capacities_Bps > 0).all()
        self._server_down, self._server_up = 2 * self._clients, 2 * self._clients + 1
        self._fluid = Fluid(capacities_Bps)
        self._waiting: dict[int, tuple[simpy.Event, float]] = {}  # by flow: its event and start_s
        self._timer = 0

    def download(self, client: int, nbytes: int) -> simpy.Event:
        """Send `nbytes` from the server to `client`; succeeds with a `Delivery`."""
        return self._send(client, (self._server_up, self._clients + client), nbytes)

    def upload(self, client: int, nbytes: int) -> simpy.Event:
        """Send `nbytes` from `client` to the server; succeeds with a `Delivery`."""
        return self._send(client, (client, self._server_down), nbytes)

    def _send(self, client: int, links: tuple[int, int], nbytes: int) -> simpy.Event:
        """Fluid transport: the flow takes no capacity until the one-way delay is over.

        TCP transport belongs here: the handshake as a longer wait before the flow joins, headers
        as more bytes, slow start as a cap that grows with every round trip (`Fluid.set_cap`).
        """
        assert 0 <= client < self._clients, f"client {client} of {self._clients}"
        assert nbytes >= 0
        arrival, start_s = self._env.event(), self._env.now

        def join(_: simpy.Event) -> None:
            flow = self._fluid.start(self._env.now, links, nbytes)
            self._waiting[flow] = arrival, start_s
            self._wake_at(self._env.now)

        self._after(self._delay_s.item(client), join)
        return arrival

    def _after(self, delay_s: float, then: Callable[[simpy.Event], None]) -> None:
        timeout = self._env.timeout(delay_s)
        timeout.callbacks.append(then)

    def _wake_at(self, time_s: float) -> None:
        # Of the timers that flows joining in one instant set, the last is heard: one solution.
        self._timer += 1
        if time_s < np.inf:
            number = self._timer
            self._after(time_s - self._env.now, lambda _: self._wake(number))

    def _wake(self, number: int) -> None:
        if number != self._timer:
            return
        for flow in self._fluid.advance(self._env.now):
            arrival, start_s = self._waiting.pop(flow)
            arrival.succeed(Delivery(start_s, self._env.now))
        self._wake_at(self._fluid.next_finish())
