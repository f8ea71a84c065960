"""Flows with the same cap on one link: they have the same rate, so one clock serves them all.

A capped class runs at its cap, independent of the others; the clocks of all other classes run at
one rate, so they follow one common clock V. Bytes are integers in units of 2**-60 B: sums do not
depend on the order of events, flows that finish together do so exactly, and nothing drifts.
"""

import math
from dataclasses import dataclass, field

SCALE = 2.0**60  # a float: an int would be converted in every product
UNIT = 1 / SCALE
UNLIMITED = 1 << 1100  # larger than any float


def exact(value: float) -> int:
    """Bytes, or bytes/s, as an integer in units of 2**-60."""
    return int(value * SCALE) if value < math.inf else UNLIMITED


@dataclass(slots=True, eq=False)
class FlowClass:
    """Bytes served per flow: `base` + V; if `running`, `base` + cap x time since `since_s`."""

    cap_Bps: float
    exact: int
    base: int
    since_s: float
    capped: bool  # the side of theta that it belongs to
    running: bool  # the side on which its clock runs
    flows: list["Entry"] = field(default_factory=list)  # heap
    count: int = 0  # of live flows; flows that left stay in `flows` until they come up
    # Its key in the order of finishes: a time while it is running, otherwise a reading of V.
    time_s: float | None = None
    reading: int | None = None

    def served(self, now_s: float, clock: int) -> int:
        """Reading of its clock when V is `clock`."""
        if self.running:
            return self.base + int(self.cap_Bps * (now_s - self.since_s) * SCALE)
        return self.base + clock

    def switch(self, now_s: float, clock: int) -> None:
        """Makes its clock run on its side of theta from `now_s` on."""
        served = self.served(now_s, clock)
        self.running, self.since_s = self.capped, now_s
        self.base = served if self.capped else served - clock

    def finish_s(self, now_s: float) -> float:
        """Time of the next finish in a running class, seconds."""
        ahead = self.flows[0][0] - self.base
        if not self.cap_Bps:
            return math.inf if ahead > 0 else now_s
        # Rounding may put it just before `now_s`.
        time_s = self.since_s + ahead * UNIT / self.cap_Bps
        return time_s if time_s > now_s else now_s  # max() costs more than all of this


Entry = tuple[int, int, FlowClass]  # (reading of its class's clock at the finish, flow, its class)
