"""Rounds with one cohort each over the compiled network: one SimPy event a round.

If a round lasts until all of its tasks have ended, then who takes part, what is sent and how the
model scores does not depend on time, so all rounds of a recorded training are one call: see `Plan`.
"""

import math
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from emulator.common.errors import StalledError
from emulator.network.compiled.layout import UPLOAD_ROW
from emulator.network.flights import FlightPlanner
from emulator.network.tcp import Tcp
from emulator.network.topology import Profiles
from emulator.simulation.clients.fleet import Fleet
from emulator.simulation.compiled.network import CompiledNetwork
from emulator.simulation.compiled.plan import Plan, PlannedRounds, TaskRows, timed
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import OUTCOMES, Round
from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import Notice, SimulationContext
from emulator.simulation.rounds.evaluation import Evaluator
from emulator.simulation.rounds.round_loop import RoundRule
from flasc.common.messages import MessageInfo

Clients = NDArray[np.int64]
USED, LATE = OUTCOMES.index("used"), OUTCOMES.index("late")
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
        if is_whole(rule):
            used = yield from _whole_round(context, network, number, cohort, rounds)
        else:
            used = yield from _cut_round(context, network, rule, number, cohort)
        if used or rule.divisor:
            weight = rule.weight(0) / (rule.divisor or len(used))
            context.trainer.aggregate(used, [weight] * len(used))
        log.add(Round(number, len(cohort), start_s, env.now, len(used)))
        if evaluator.evaluate_round(number):
            break
    if rounds:
        planned(Plan(PlannedRounds.joined(rounds), log.single_rows))


def is_whole(rule: RoundRule) -> bool:
    """Whether each round lasts until all of its tasks have ended."""
    return rule.first >= rule.select and rule.deadline_s == math.inf


def _whole_round(
    context: SimulationContext,
    network: CompiledNetwork,
    number: int,
    cohort: Clients,
    rounds: list[PlannedRounds],
) -> Generator[simpy.Event, Any, Sequence[MessageInfo]]:
    """One round until its end; its plan is added to `rounds`. Returns its uploads."""
    downloads = [context.trainer.download(client) for client in cohort.tolist()]
    uploads = context.trainer.train(downloads) if downloads else []
    plan = PlannedRounds.of(number, downloads, uploads, context.billed_bytes)
    rounds.append(plan)
    _, finish_s = network.run(plan, compute_s(plan, context.fleet), context.env.now)
    yield from _until(context.env, float(finish_s[0]))
    context.log.add_block(TaskRows.whole(plan, *network.rows()).table(plan))
    return uploads


def _cut_round(
    context: SimulationContext,
    network: CompiledNetwork,
    rule: RoundRule,
    number: int,
    cohort: Clients,
) -> Generator[simpy.Event, Any, Sequence[MessageInfo]]:
    """One round that may end before its tasks do. Returns the uploads in time.

    As in the reference, nothing is trained if the round ends before the first download does.
    """
    downloads = [context.trainer.download(client) for client in cohort.tolist()]
    uploads: list[MessageInfo] = []

    def plan() -> PlannedRounds:
        known = uploads or [MessageInfo(client, 0, 0) for client in cohort.tolist()]
        return PlannedRounds.of(number, downloads, known, context.billed_bytes)

    def train() -> tuple[Sequence[int], Sequence[float]]:
        uploads.extend(context.trainer.train(downloads))
        return plan().up_B.tolist(), compute_s(plan(), context.fleet).tolist()

    ends = np.array([min(rule.first, len(cohort))], np.int64)
    waits = np.zeros(len(cohort))
    _, finish_s = network.run(plan(), waits, context.env.now, ends, rule.deadline_s, train)
    yield from _until(context.env, float(finish_s[0]))
    whole = TaskRows.whole(plan(), *network.rows())
    arrived = whole.task[whole.kind == UPLOAD_ROW]
    outcome = np.full(len(cohort), LATE)
    outcome[arrived[: rule.first]] = USED
    cut = network.interrupt_all(plan())
    rows = whole.followed_by(cut, float(finish_s[0]))
    context.log.add_block(rows.table(plan(), outcome))
    late = np.flatnonzero(outcome == LATE).tolist()
    if late:
        of_late = [downloads[at] for at in late] + [uploads[at] for at in late if uploads]
        context.trainer.release(of_late)
    return [uploads[at] for at in np.flatnonzero(outcome == USED).tolist()]


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
    rows = timed(plan, TaskRows.whole(rounds, *found).table(rounds), found[1], start_s, finish_s)
    notice(rows)
    return rows
