"""Flat named tuples: one a fact, statistics afterwards (`metrics`).

Times are simulated seconds since the start of the emulation. An emulation is one method with one
seed under one variant of the scenario; the ledger files every row under its emulation.
"""

from typing import NamedTuple


class Emulation(NamedTuple):
    """Which method, under which variant of the scenario, with which seed."""

    method: str
    variant: str
    seed: int


# What became of the update that a client's work led to: it was merged; the server had moved on;
# the client had left; the run had ended.
OUTCOMES = ("used", "late", "cut", "unfinished")


class Transfer(NamedTuple):
    """One message that crossed the network, or as much of it as did before it was broken off.

    `direction` is 'down' (server to client) or 'up'. `round` is the one in which the client was
    asked, `outcome` one of OUTCOMES, `staleness` how many server steps overtook a used update.
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
    """One client's local training; zero long where the scenario models no compute time."""

    round: int
    client: int
    examples: int
    steps: int
    start_s: float
    finish_s: float
    outcome: str = "used"
    staleness: int = 0


class Absence(NamedTuple):
    """A client was away in the middle of its work and took it up again, unless it was cut."""

    round: int
    client: int
    start_s: float
    finish_s: float
    outcome: str = "used"
    staleness: int = 0


class Round(NamedTuple):
    """One server step: from the first download's start to the aggregation.

    `cohort` clients were at work, those of earlier rounds included (asynchronous: at a time);
    `used` updates were merged, and where there were none, there was no step (but for training.dp's
    noise).
    """

    round: int
    cohort: int
    start_s: float
    finish_s: float
    used: int = 0


class Evaluation(NamedTuple):
    """Quality of the model that `round` server steps made. It takes no simulated time.

    `split` is 'validation' or 'test'; `examples` says how many of the split were used.
    """

    round: int
    time_s: float
    split: str
    examples: int
    accuracy: float
    loss: float


class Client(NamedTuple):
    """A client as the fleet has it, bytes/s as it sees them; `cell` -1: in none.

    `examples` are what it holds, -1 where the recording does not say. `round` 0: from the start.
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
    """How many examples of a label a client holds, where it holds any."""

    client: int
    label: int
    examples: int
    round: int = 0


class LabelScore(NamedTuple):
    """What an evaluation says of one label: so many of its examples were answered right."""

    round: int
    split: str
    label: int
    right: int
    examples: int


class SharedLink(NamedTuple):
    """What several clients share: `kind` 'server' or 'cell', bytes/s as that party sees them."""

    kind: str
    number: int
    down_Bps: float
    up_Bps: float
    round: int = 0


Row = (
    Transfer
    | Computation
    | Absence
    | Round
    | Evaluation
    | Client
    | SharedLink
    | Holding
    | LabelScore
)
