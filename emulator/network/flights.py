"""The flights of each message of a network's clients: fluid, TCP, and what an application adds."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from emulator.network.application import NEW, Application, Connections, application_flights
from emulator.network.tcp import Direction, Flight, Tcp, fluid_flights, tcp_flights

Stream = Callable[[int, Direction, int], np.random.Generator]


class FlightPlanner:
    """Makes the flights of messages, each when it is sent.

    Losses of a client's n-th message in a direction are drawn from `stream(client, direction, n)`,
    n from 0. It knows the connections that the application keeps.
    """

    def __init__(
        self,
        tcp: Tcp | None,
        application: Application | None,
        delay_s: Sequence[float],
        loss: Sequence[float],
        stream: Stream | None,
    ) -> None:
        """`delay_s` and `loss` [clients], of one direction; `tcp` None: fluid."""
        self._tcp, self._application, self._stream = tcp, application, stream
        self._delay_s, self._loss = delay_s, loss
        self._connections = Connections()
        self._sent: Counter[tuple[int, Direction]] = Counter()  # messages of clients with loss
        self._windows: dict[int, float] = {}  # of the latest message of each client, at its end

    @property
    def keeps_connections(self) -> bool:
        """Whether `arrived` and `cancelled` have to be called."""
        return self._application is not None and self._application.keeps_connection

    def flights(
        self,
        client: int,
        direction: Direction,
        nbytes: int,
        rate_Bps: float,
        now_s: float,
        varies: bool,
    ) -> list[Flight]:
        """The flights of a message that is sent now, on a path with `rate_Bps` alone.

        `varies`: the rate of its path changes in time.
        """
        rtt_s, loss, rng = 2 * self._delay_s[client], self._loss[client], None
        if self._tcp is None:
            return fluid_flights(nbytes, rtt_s)
        if loss:
            assert self._stream is not None
            number = self._sent[client, direction]
            self._sent[client, direction] += 1
            rng = self._stream(client, direction, number)
        of_path = direction, nbytes, rtt_s, rate_Bps
        if self._application is None:
            return tcp_flights(self._tcp, *of_path, loss, rng)
        begins_s = now_s + self._application.waiting_s
        at = self._connections.of(client, direction, begins_s) if self.keeps_connections else NEW
        found, self._windows[client] = application_flights(
            self._tcp, self._application, *of_path, at, loss, rng, varies
        )
        return found

    def arrived(self, client: int, direction: Direction, now_s: float) -> None:
        """Keeps the connection of a message that has arrived."""
        rtt_s = 2 * self._delay_s[client]
        self._connections.arrived(client, direction, self._windows[client], now_s, rtt_s)

    def cancelled(self, client: int) -> None:
        """Closes the connection of a message that was cancelled."""
        self._connections.close(client)
