"""Row types of the ledger; metrics are computed from them (`emulator.results.metrics`).

Times are simulated seconds since the start of the simulation. An `Emulation` is the simulation of
one method with one seed under one variant of the scenario; every row in the ledger belongs to one.
"""

from typing import NamedTuple


class Emulation(NamedTuple):
    """The method, variant and seed of one simulation.

    `network_seed` is the draw of the fleet; None if `seed` draws the fleet as well.
    """

    method: str
    variant: str
    seed: int
    network_seed: int | None = None

    @property
    def title(self) -> str:
        """Its values as text."""
        return f"{self.method}, {drawn(self.variant, self.network_seed)}, seed {self.seed}"


def drawn(variant: str, network_seed: int | None) -> str:
    """The label of a variant with a draw of its fleet; the variant alone without one."""
    return variant if network_seed is None else f"{variant}, network seed {network_seed}"


# Outcomes of a client task: its update was aggregated; the server did not wait for it; the client
# left; the simulation ended.
OUTCOMES = ("used", "late", "cut", "unfinished")


class Transfer(NamedTuple):
    """One message on the network, or the part of it that was sent before an interruption.

    `direction` is 'down' (server to client) or 'up'. `round` is the round of the client task,
    `outcome` one of OUTCOMES, `staleness` how many server steps passed during a used task.
    """

    round: int
    client: int
    direction: str
    nbytes: int
    start_s: float
    finish_s: float
    outcome: str = "used"
    staleness: int = 0


class Computation(NamedTuple):
    """One client's local training; its duration is zero without compute time in the scenario."""

    round: int
    client: int
    examples: int
    steps: int
    start_s: float
    finish_s: float
    outcome: str = "used"
    staleness: int = 0


class Absence(NamedTuple):
    """A client left during its task and resumed it later (outcome 'cut': did not resume)."""

    round: int
    client: int
    start_s: float
    finish_s: float
    outcome: str = "used"
    staleness: int = 0


class Round(NamedTuple):
    """One server step: from the first download's start to the aggregation.

    `cohort` clients were at work, including those of earlier rounds (asynchronous: concurrently);
    `used` updates were aggregated. Without updates there was no step, except with training.dp,
    which adds noise.
    """

    round: int
    cohort: int
    start_s: float
    finish_s: float
    used: int = 0


UNKNOWN = -1  # a loss or a number of examples of an evaluation that another program did not log


class Evaluation(NamedTuple):
    """Quality of the model after `round` server steps. Evaluation takes no simulated time.

    `split` is 'validation' or 'test'; `examples` is the number of examples used.
    """

    round: int
    time_s: float
    split: str
    examples: int
    accuracy: float
    loss: float


class Client(NamedTuple):
    """A client of the fleet, rates in bytes/s from its point of view; `cell` -1: in no cell.

    `examples` is its number of examples, -1 if not recorded. `round` 0: from the start.
    """

    client: int
    group: str
    down_Bps: float
    up_Bps: float
    delay_s: float
    loss: float
    seconds_per_example: float
    cell: int
    examples: int
    round: int = 0


class Holding(NamedTuple):
    """Number of examples of a label that a client holds, if any."""

    client: int
    label: int
    examples: int
    round: int = 0


class LabelScore(NamedTuple):
    """Part of an evaluation: `right` of the `examples` with one label were classified correctly."""

    round: int
    split: str
    label: int
    right: int
    examples: int


class SharedLink(NamedTuple):
    """A link that clients share: `kind` 'server' or 'cell', bytes/s from its point of view."""

    kind: str
    number: int
    down_Bps: float
    up_Bps: float
    round: int = 0


class PathRate(NamedTuple):
    """Mean rates of the links that one transfer crossed, over its own time, in bytes/s.

    Only in simulations with rates that change. `round`, `client`, `direction` and `start_s` are
    those of the transfer; `cell_Bps` is -1 if the client is in no cell.
    """

    round: int
    client: int
    direction: str
    start_s: float
    client_Bps: float
    cell_Bps: float
    server_Bps: float


TaskRow = Transfer | Computation | Absence
Row = TaskRow | Round | Evaluation | Client | SharedLink | Holding | LabelScore | PathRate
