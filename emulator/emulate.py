"""One emulation: one method and seed under one variant, from the first round to the last."""

from collections.abc import Callable

import numpy as np
import simpy

from emulator import fleet, profiles
from emulator.network.transfer import Network
from emulator.network.transport import Tcp
from emulator.records import Row
from emulator.rounds import Journal, World, carry_out, selector
from emulator.scenario import FluidTransport, Scenario, TcpTransport
from emulator.seam import Download, Trainer, Upload


def charge(how: str) -> Callable[[Download | Upload], int]:
    """The bytes that a message costs: 'encoded' (all of it) or 'values' (as the paper counts)."""
    if how == "values":
        return lambda message: message.value_bytes
    return lambda message: message.nbytes


def _tcp(settings: FluidTransport | TcpTransport) -> Tcp | None:
    if isinstance(settings, FluidTransport):
        return None
    return Tcp(**settings.model_dump(exclude={"kind"}))


def emulate(
    scenario: Scenario,
    seed: int,
    trainer: Trainer,
    notice: Callable[[Row], None] = lambda _: None,
) -> list[Row]:
    """Carry the scenario out with `trainer`; every row in the order it came about.

    `notice` sees each row at once, for progress. Raises what the trainer raises.
    """
    clients = fleet.build(scenario.network, scenario.compute, scenario.task.clients, seed)
    env = simpy.Environment()
    network = Network(
        env,
        up_Bps=clients.up_Bps,
        down_Bps=clients.down_Bps,
        delay_s=clients.delay_s,
        server_up_Bps=clients.server_up_Bps,
        server_down_Bps=clients.server_down_Bps,
        transport=_tcp(scenario.network.transport),
        loss=clients.loss,
        stream=lambda client, way, n: fleet.stream(seed, f"loss/{way}", client, n),
        cell=clients.cell,
        cell_up_Bps=clients.cell_up_Bps,
        cell_down_Bps=clients.cell_down_Bps,
        cell_half_duplex=clients.cell_half_duplex,
        half_duplex=clients.half_duplex,
        profiles=profiles.of(scenario.network, clients, seed),
    )
    journal = Journal(notice)
    world = World(
        env,
        trainer,
        network,
        clients,
        np.ones(len(clients), bool),
        scenario.training,
        selector(scenario.policy, seed),
        charge(scenario.network.charge),
        journal,
    )
    try:
        env.run(env.process(carry_out(world, scenario.policy)))
    except BaseException as copy:
        # SimPy raises a copy made of the error's `args`: without a hint, or whatever else it knew.
        if type(copy.__cause__) is type(copy):
            raise copy.__cause__ from copy.__cause__.__cause__
        raise
    return journal.rows
