"""Simulates messages over a star of links."""

from collections.abc import Generator, Sequence
from typing import Any

import simpy

from emulator.common import rng
from emulator.network.application import Application
from emulator.network.network import Delivery, Network
from emulator.network.tcp import Tcp
from emulator.testbed.schedule import Message, Star


def time_messages(
    star: Star,
    messages: Sequence[Message],
    transport: Tcp | None,
    seed: int = 0,
    application: Application | None = None,
) -> list[Delivery]:
    """Start and finish of each of `messages`, in their order.

    `transport` is TCP, or None for fluid: half an RTT, then bytes at the fair share of the links.
    `application`, with TCP only, sends all of them; their own `requests` are not used. Losses are
    drawn from `seed`, as in the simulation of a training.
    """
    env = simpy.Environment()
    network = Network(
        env,
        up_Bps=star.up_Bps,
        down_Bps=star.down_Bps,
        delay_s=star.delay_s,
        server_up_Bps=star.server_up_Bps,
        server_down_Bps=star.server_down_Bps,
        transport=transport,
        application=application,
        loss=star.loss if transport else None,
        stream=lambda client, way, n: rng.stream(seed, f"loss/{way}", client, n),
    )
    send = {"down": network.download, "up": network.upload}

    def carry(message: Message) -> Generator[simpy.Event, Any, Delivery]:
        if message.after is not None:
            yield carried[message.after]
        if message.start_s:
            yield env.timeout(message.start_s)
        delivery: Delivery = yield send[message.direction](message.client, message.nbytes)
        return delivery

    carried: list[Any] = []
    for message in messages:
        assert message.after is None or message.after < len(carried), (
            "`after` is an earlier message"
        )
        carried.append(env.process(carry(message)))
    env.run()
    return [process.value for process in carried]
