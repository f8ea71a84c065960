"""Flat frozen rows: one a fact, statistics afterwards (`metrics`).

Times are simulated seconds since the start of the emulation. An emulation is one method with one
seed under one variant of the scenario; the ledger files every row under its emulation.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Emulation:
    """Which method, under which variant of the scenario, with which seed."""

    method: str
    variant: str
    seed: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """One message that crossed the network. `direction` is 'down' (server to client) or 'up'."""

    round: int
    client: int
    direction: str
    nbytes: int
    start_s: float
    finish_s: float


@dataclass(frozen=True, slots=True)
class Computation:
    """One client's local training; zero long where the scenario models no compute time."""

    round: int
    client: int
    examples: int
    steps: int
    start_s: float
    finish_s: float


@dataclass(frozen=True, slots=True)
class Round:
    """One server step: from the first download's start to the aggregation."""

    round: int
    cohort: int
    start_s: float
    finish_s: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Quality of the model that `round` server steps made. It takes no simulated time.

    `split` is 'validation' or 'test'; `examples` says how many of the split were used.
    """

    round: int
    time_s: float
    split: str
    examples: int
    accuracy: float
    loss: float


Row = Transfer | Computation | Round | Evaluation
