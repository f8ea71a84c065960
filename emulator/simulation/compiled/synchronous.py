"""Synchronous rounds over the compiled network: one SimPy event a round.

Who takes part, what is sent and how the model scores does not depend on time here, so all rounds of
a recorded training are one call: see `Plan`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import simpy
from numpy.typing import NDArray

from emulator.common.errors import StalledError
from emulator.network.flights import FlightPlanner
from emulator.network.tcp import Tcp
from emulator.network.topology import Profiles
from emulator.simulation.clients.fleet import Fleet
from emulator.simulation.compiled.network import CompiledNetwork
from emulator.simulation.compiled.plan import Plan, PlannedRounds, task_rows, timed
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import Round
from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import Notice, SimulationContext
from emulator.simulation.rounds.evaluation import Evaluator
from emulator.simulation.rounds.round_loop import RoundRule
from flasc.common.messages import MessageInfo

Clients = NDArray[np.int64]
Build = Callable[[Clients, int, int], CompiledNetwork]  # of clients, slots, rows


def builder(
    fleet: Fleet, transport: Tcp | None, profiles: Profiles | None, planner: FlightPlanner | None
) -> Build:
    """Builds networks of some clients of a fleet."""

    def build(clients: Clients, slots: int, rows: int) -> CompiledNetwork:
        return CompiledNetwork(fleet, clients, transport, profiles, planner, slots, rows)

    return build


def compute_s(rounds: PlannedRounds, fleet: Fleet) -> NDArray[np.float64]:
    """Compute time of each task, seconds: float64 [tasks]."""
    return rounds.examples * fleet.seconds_per_example[rounds.client]


def process(
    context: SimulationContext, rule: RoundRule, build: Build, planned: Callable[[Plan], None]
) -> Process:
    """The SimPy process of all rounds, each with the `rule`; `planned` gets their plan at the end.

    Raises StalledError if no client can take part.
    """
    env, log, evaluator = context.env, context.log, Evaluator(context)
    cohorts = _cohorts(context, rule.select)
    slots = max(1, *map(len, cohorts))
    network = build(np.unique(np.concatenate(cohorts)), slots, 3 * slots)
    rounds: list[PlannedRounds] = []
    for number, cohort in enumerate(cohorts, 1):
        start_s = env.now
        messages = _messages(context, cohort)
        rounds.append(PlannedRounds.of(number, *messages, context.billed_bytes))
        seconds = compute_s(rounds[-1], context.fleet)
        _, finish_s = network.run(rounds[-1], seconds, start_s)
        yield from _until(env, float(finish_s[0]))
        if len(cohort) or rule.divisor:
            weight = rule.weight(0) / (rule.divisor or len(cohort))
            context.trainer.aggregate(messages[1], [weight] * len(cohort))
        log.add_block(task_rows(rounds[-1], *network.rows()))
        log.add(Round(number, len(cohort), start_s, env.now, len(cohort)))
        if evaluator.evaluate_round(number):
            break
    planned(Plan(PlannedRounds.joined(rounds), log.single_rows))


def _cohorts(context: SimulationContext, count: int) -> list[Clients]:
    """Who takes part in each round."""
    candidates = np.flatnonzero(context.eligible)
    if not len(candidates):
        raise StalledError(
            "no client is available after 0 s of simulated time, and none ever will be",
            "change `availability`: longer or repeated windows, or a group with `always`",
        )
    count = min(count, len(candidates))
    rounds = range(1, context.training.rounds + 1)
    return [context.selector.select(number, candidates, count) for number in rounds]


def _messages(
    context: SimulationContext, cohort: Clients
) -> tuple[Sequence[MessageInfo], Sequence[MessageInfo]]:
    """The downloads and the uploads of a cohort."""
    downloads = [context.trainer.download(client) for client in cohort.tolist()]
    return downloads, context.trainer.train(downloads) if downloads else []


def _until(env: simpy.Environment, time_s: float) -> Process:
    """Waits until a time; SimPy adds the delay to its clock, which may round down."""
    while env.now < time_s:
        yield env.timeout(time_s - env.now)


def replay(plan: Plan, fleet: Fleet, build: Build, notice: Notice) -> EventTable:
    """The rows of a plan under another network. Raises StalledError."""
    rounds = plan.rounds
    slots, tasks = max(1, int(np.diff(rounds.first).max())), len(rounds.client)
    network = build(np.unique(rounds.client), slots, 3 * tasks + 3 * slots)
    start_s, finish_s = network.run(rounds, compute_s(rounds, fleet), 0.0)
    found = network.rows()
    rows = timed(plan, task_rows(rounds, *found), found[1], start_s, finish_s)
    notice(rows)
    return rows
