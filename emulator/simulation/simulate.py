"""Simulates the training of one method with one seed under one variant."""

import contextlib
import functools
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import numpy as np
import simpy
from numpy.typing import NDArray

from emulator.common import rng
from emulator.common.errors import EmulationError, StalledError
from emulator.common.garbage import relaxed_gc
from emulator.network.application import Application
from emulator.network.flights import FlightPlanner
from emulator.network.network import Network
from emulator.network.tcp import Direction
from emulator.simulation.clients import fleet
from emulator.simulation.clients.compute import Compute
from emulator.simulation.clients.fleet import Fleet
from emulator.simulation.clients.link_profiles import LinkProfiles
from emulator.simulation.clients.links import Network as NetworkSettings
from emulator.simulation.compiled.plan import Plans
from emulator.simulation.engine import EngineSettings, has_rounds, why_reference
from emulator.simulation.event_table import Columns, EventTable
from emulator.simulation.policies import POLICIES, PolicySettings
from emulator.simulation.policies.synchronous import Synchronous
from emulator.simulation.records import Client, Holding, PathRate, SharedLink, Transfer
from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import EventLog, Notice, SimulationContext
from emulator.simulation.rounds.logged import LoggedTrainer
from emulator.simulation.selection import SELECTIONS, SelectionSettings
from emulator.simulation.selection.base import Selector
from emulator.simulation.selection.uniform import PoissonSelector, Uniform
from emulator.simulation.settings import RoundPlan
from emulator.simulation.trainer import Trainer
from flasc.common import plugins
from flasc.common.messages import MessageInfo, TrainingMetadata
from flasc.common.settings import Settings, newer
from flasc.common.tagged_unions import ShortForm, kind_or, spelled_out

# Directions of a transfer from the points of view of its client and of the server.
_WAYS: dict[str, tuple[Direction, Direction]] = {"down": ("down", "up"), "up": ("up", "down")}

if TYPE_CHECKING:  # which packages are installed is known at run time only
    Policy = PolicySettings
    Selection = SelectionSettings
else:
    Policy = Annotated[
        plugins.members(POLICIES, PolicySettings), kind_or("synchronous"), ShortForm(spelled_out)
    ]
    Selection = Annotated[
        plugins.members(SELECTIONS, SelectionSettings), kind_or("uniform"), ShortForm(spelled_out)
    ]


class SimulationSettings(Settings):
    """The settings that a simulation uses; a scenario has them."""

    training: RoundPlan
    network: NetworkSettings
    """links of the server and the clients"""
    compute: Compute | None = None
    """compute time of clients; none: 0"""
    policy: Policy = Synchronous()
    """when a round ends and which updates count"""
    selection: Selection = Uniform()
    """which available clients are asked"""
    simulation: EngineSettings = newer(EngineSettings())
    """how times are computed"""

    @property
    @abstractmethod
    def clients(self) -> int:
        """Number of clients in the fleet."""


def billed_bytes(how: str) -> Callable[[MessageInfo], int]:
    """Bytes of a message that are timed: 'encoded' (all) or 'values' (as counted in the paper)."""
    if how == "values":
        return lambda message: message.value_bytes
    return lambda message: message.nbytes


def build_selector(settings: SimulationSettings, seed: int) -> Selector:
    """The selector of the settings; with `training.dp.sampling: poisson`, Poisson sampling."""
    dp = settings.training.dp
    if dp and dp.sampling == "poisson":
        return PoissonSelector(seed)
    return settings.selection.selector(seed)


def _application(settings: SimulationSettings, logged: LoggedTrainer | None) -> Application | None:
    """What a program adds to each message: as the network says, or else as the log says."""
    network = settings.network
    if "application" in network.model_fields_set or logged is None:
        return network.application.model()
    return logged.log.application if network.transport.model() else None


def simulate(
    settings: SimulationSettings,
    seed: int,
    trainer: Trainer,
    notice: Notice = lambda _: None,
    rank: int | None = None,
    stalled: Callable[[StalledError], None] | None = None,
    give_up_s: float = math.inf,
    network_seed: int | None = None,
    simulations: int = 1,
    plans: Plans | None = None,
) -> EventTable:
    """Simulates a training with `trainer`; returns its rows in the order of their creation.

    `seed` draws the cohorts and `network_seed` (None: the same) what differs between two fleets:
    links, delays, losses, cells, changing rates, speeds and availability. `notice` is called with
    each row, or block of rows, when it is created, for progress. `rank` is the rank of the LoRA
    that is trained, if any. Raises errors of the trainer, StalledError if the policy cannot
    continue, and GivenUpError, which is one, if the target is not reached by the simulated time
    `give_up_s`; with `stalled`, calls it with that error and returns the rows so far. `simulations`
    of this kind are wanted, which may decide the engine. With `plans`, what does not depend on the
    network is asked of the trainer once: later calls may leave it as it is.
    """
    compute, count = settings.compute, settings.clients
    network_seed = seed if network_seed is None else network_seed
    flop = None
    if compute and compute.speed is not None:
        flop = trainer.metadata(require_flops=True).flop_per_example
        assert flop is not None, "the trainer reports FLOPs when they are required"
    clients = fleet.draw_fleet(settings.network, compute, count, network_seed, flop, rank_seed=seed)
    profiles = LinkProfiles.build(settings.network, clients, network_seed)
    logged = trainer if isinstance(trainer, LoggedTrainer) else None  # it knows who took part
    transport, application = settings.network.transport.model(), _application(settings, logged)

    def stream(client: int, way: Direction, number: int) -> np.random.Generator:
        return rng.stream(network_seed, f"loss/{way}", client, number)

    def network() -> Network:
        return Network(
            env,
            up_Bps=clients.up_Bps,
            down_Bps=clients.down_Bps,
            delay_s=clients.delay_s,
            server_up_Bps=clients.server_up_Bps,
            server_down_Bps=clients.server_down_Bps,
            transport=transport,
            loss=clients.loss,
            stream=stream,
            application=application,
            cell=clients.cell,
            cell_up_Bps=clients.cell_up_Bps,
            cell_down_Bps=clients.cell_down_Bps,
            cell_half_duplex=clients.cell_half_duplex,
            half_duplex=clients.half_duplex,
            profiles=profiles,
        )

    env, log = simpy.Environment(), EventLog(notice)
    context = SimulationContext(
        env,
        trainer,
        network,
        clients,
        eligible_clients(clients, rank, compute),
        settings.training,
        logged or build_selector(settings, seed),
        billed_bytes(settings.network.charge),
        log,
        give_up_s,
    )
    rows = None
    if settings.simulation.wants_compiled(settings.training, simulations) and not why_reference(
        settings.policy
    ):
        from emulator.simulation.compiled import synchronous, tasks  # load numba

        planner = None
        if application or clients.loss.any():
            delay_s, loss = clients.delay_s.tolist(), clients.loss.tolist()
            planner = FlightPlanner(transport, application, delay_s, loss, stream)
        build = synchronous.builder(clients, transport, profiles, planner)
        plans = Plans() if plans is None else plans  # one without a plan yet is false
        plans.compiled = True
        if has_rounds(settings.policy) and _chooses_by_number(settings, clients, logged):
            rule = settings.policy.rule(context)
            key = settings.training, settings.network.charge, context.eligible.tobytes()
            is_whole = synchronous.is_whole(rule) and give_up_s == math.inf
            if is_whole and (plan := plans.find(key)):
                with contextlib.suppress(StalledError):  # below it stalls again, and is told of
                    rows = synchronous.replay(plan, clients, build, notice)
            keep = functools.partial(plans.add, key)
            of_rounds = synchronous.process(context, rule, build, keep)
        else:
            able = np.flatnonzero(context.eligible)
            slots = logged.log.cohort if logged else _most_tasks(settings, len(able))
            links = build(able, slots, 6 * slots)
            make = functools.partial(tasks.CompiledTasks, network=links)
            of_rounds = (logged or settings.policy).process(replace(context, compiled_tasks=make))
    elif logged:
        of_rounds = logged.process(context)
    else:
        of_rounds = settings.policy.process(context)
    if rows is None:
        with _telling(plans):
            _run(env, of_rounds, stalled)
        rows = log.rows
    rates = path_rates(rows, clients, profiles) if profiles else ()
    about = fleet_table(clients, trainer.metadata())
    return EventTable.joined([rows, about, EventTable.of(rates)])


def _chooses_by_number(
    settings: SimulationSettings, clients: Fleet, logged: LoggedTrainer | None
) -> bool:
    """Whether the clients of a round depend on its number alone."""
    return logged is None and type(settings.selection) is Uniform and not clients.availability


def _most_tasks(settings: SimulationSettings, clients: int) -> int:
    """The largest number of tasks at one time, if so many clients can take part."""
    if getattr(settings.policy, "late", "drop") == "accept":  # late ones work on
        return clients
    return min(clients, settings.policy.max_concurrency(settings.training.cohort))


def _telling(plans: Plans | None) -> contextlib.AbstractContextManager[None]:
    """Tells when the network is compiled, if it is."""
    if plans is None or not plans.compiled:
        return contextlib.nullcontext()
    from emulator.network.compiled.jit import telling

    return telling(plans.compiling)


def _run(
    env: simpy.Environment, process: Process, stalled: Callable[[StalledError], None] | None
) -> None:
    """Runs a process to its end; `stalled` gets its StalledError, if given."""
    try:
        with relaxed_gc():
            env.run(env.process(process))
    except StalledError as error:
        if stalled is None:
            raise
        stalled(error)
    except BaseException as copy:
        # SimPy raises a copy made of the error's `args`, without its other attributes (the hint).
        if type(copy.__cause__) is type(copy):
            raise copy.__cause__ from copy.__cause__.__cause__
        raise


def eligible_clients(
    clients: Fleet, rank: int | None, compute: Compute | None
) -> NDArray[np.bool_]:
    """Which clients can hold a LoRA of `rank` (None: no LoRA is trained): bool [clients].

    Raises EmulationError if some cannot and the scenario sets `compute.too_large: error`.
    """
    if clients.max_rank is None or rank is None:
        return np.ones(len(clients), bool)
    found: NDArray[np.bool_] = clients.max_rank >= rank
    if compute and compute.too_large == "error" and not found.all():
        first = int(np.flatnonzero(~found)[0])
        raise EmulationError(
            f"{(~found).sum()} of {len(clients)} clients cannot hold rank {rank}: the first is "
            f"client {first}, which holds {clients.max_rank[first]:g}",
            "lower the rank, raise compute.max_rank, or exclude them (compute.too_large: skip)",
        )
    return found


def fleet_table(clients: Fleet, about: TrainingMetadata) -> EventTable:
    """Rows of the shared links, the clients and their examples per label, for metrics."""
    links = [SharedLink("server", 0, clients.server_down_Bps, clients.server_up_Bps)]
    rates = zip(clients.cell_down_Bps.tolist(), clients.cell_up_Bps.tolist(), strict=True)
    links += [SharedLink("cell", number, *pair) for number, pair in enumerate(rates)]
    count = len(clients)
    described = Columns(
        Client,
        (
            np.arange(count, dtype=np.int64),
            clients.group.astype(np.int32),
            clients.down_Bps,
            clients.up_Bps,
            clients.delay_s,
            clients.loss,
            clients.seconds_per_example,
            clients.cell,
            np.array(about.examples or [-1] * count, np.int64)[:count],
            np.zeros(count, np.int64),
        ),
        {"group": clients.groups},
    )
    tables = (EventTable.of(links), EventTable.only(described), EventTable.only(_holdings(about)))
    return EventTable.joined(tables)


def _holdings(about: TrainingMetadata) -> Columns[Holding]:
    """The examples that each client holds, by label."""
    held = about.labels or ()
    examples = np.fromiter(chain.from_iterable(held), np.int64)
    of_client = np.array([len(counts) for counts in held], np.int64)
    client = np.repeat(np.arange(len(of_client), dtype=np.int64), of_client)
    label = np.arange(len(examples), dtype=np.int64) - np.repeat(
        np.cumsum(of_client) - of_client, of_client
    )
    columns = Columns(Holding, (client, label, examples, np.zeros_like(examples)))
    return columns.take(examples != 0)


def path_rates(rows: EventTable, clients: Fleet, profiles: LinkProfiles) -> Iterator[PathRate]:
    """The mean rates of the links of each transfer, over the time of the transfer."""
    for row in rows.columns(Transfer):
        if row.start_s < row.finish_s:
            way, against = _WAYS[row.direction]
            cell = int(clients.cell[row.client])
            times_s = row.start_s, row.finish_s
            yield PathRate(
                row.round,
                row.client,
                row.direction,
                row.start_s,
                profiles.mean_rate(("client", way, row.client), *times_s),
                profiles.mean_rate(("cell", way, cell), *times_s) if cell >= 0 else -1.0,
                profiles.mean_rate(("server", against, 0), *times_s),
            )
