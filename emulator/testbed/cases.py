"""Validation cases: the messages of one recorded round, with their encoded sizes."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import NoReturn

from typing_extensions import override

from emulator.common.errors import EmulationError, ScenarioError
from emulator.common.text import nearest, printable
from emulator.network.application import Application
from emulator.network.network import Delivery
from emulator.network.tcp import Congestion, Tcp
from emulator.runner import run_source
from emulator.runner.estimates import opened
from emulator.runner.recording import RecordingTrainer
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import Study, TrainingJob
from emulator.simulation.clients import fleet, link_profiles
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import Absence, Computation, Row, Transfer
from emulator.simulation.simulate import simulate
from emulator.testbed.schedule import Message, Star
from emulator.testbed.simulate import time_messages
from flasc.common.messages import Score

SETUP_S = 1.0  # to build the test bed and end it
# Flower starts a program per client and message, and asks for messages every few seconds.
FLOWER_STARTS_S, FLOWER_WAITS_S, FLOWER_ASKS_S = 30.0, 15.0, 3.0
MAX_CLIENTS = 100  # each needs a namespace and devices


@dataclass(frozen=True)
class Case:
    """One round under one variant: recorded messages and their simulated times.

    Message `i` is of client `clients[messages[i].client]`; `seed` is that of the training.
    """

    method: str
    variant: str
    seed: int
    round: int
    clients: Sequence[int]
    star: Star
    messages: Sequence[Message]
    transport: Tcp | None
    simulated: Sequence[Delivery]
    arrays: int | None = None  # per message that Flower sends; None without Flower
    network_seed: int | None = None  # of the fleet; None: `seed`

    @property
    def makespan_s(self) -> float:
        """Simulated seconds from the first start to the last arrival."""
        return max(float(delivery.finish_s) for delivery in self.simulated)

    @property
    def name(self) -> str:
        """Display name."""
        return printable(f"{self.method}, {self.variant}")

    @property
    def congestion(self) -> Congestion:
        """The simulated congestion control; without TCP, the default of Linux."""
        return self.transport.congestion if self.transport else "cubic"

    @property
    def cost_s(self) -> float:
        """Seconds that one measurement takes."""
        if self.arrays is None:
            return self.makespan_s + SETUP_S
        return self.makespan_s + FLOWER_WAITS_S + len(self.clients) * self.gap_s

    @property
    def gap_s(self) -> float:
        """Seconds from the message to one client to that to the next, which Flower sends."""
        downloads_s = [
            delivery.finish_s - delivery.start_s
            for message, delivery in zip(self.messages, self.simulated, strict=True)
            if message.direction == "down"
        ]
        return float(max(downloads_s, default=0.0)) + FLOWER_ASKS_S

    def costs_s(self, repeats: int) -> float:
        """Seconds that `repeats` measurements take."""
        return repeats * self.cost_s + (0.0 if self.arrays is None else FLOWER_STARTS_S)

    @property
    def at_once(self) -> float:
        """Largest sum of the rates of concurrent messages, bytes/s."""
        rates = {"down": self.star.down_Bps, "up": self.star.up_Bps}
        spans = [
            (delivery.start_s, delivery.finish_s, rates[message.direction][message.client])
            for message, delivery in zip(self.messages, self.simulated, strict=True)
        ]
        most_Bps = max(sum(r for a, b, r in spans if a <= time_s < b) for time_s, _, _ in spans)
        return min(most_Bps, self.star.server_up_Bps + self.star.server_down_Bps)


class _Replayed(RecordingTrainer):
    """Replays a recording without its scores, since not every round was evaluated."""

    @override
    def evaluate(self, split: str) -> Score:
        return Score(1, 0.0, 0.0)


def cases(
    study: Study,
    scenario: Path,
    recordings: Path,
    variants: Sequence[str],
    number: int,
    *,
    most: int | None = None,
    by_flower: bool = False,
) -> list[Case]:
    """Round `number` of each method of the study, under the named variants or all.

    `most` clients of the round at most take part. With `by_flower`, Flower is to send the messages.

    Raises ScenarioError for an unknown variant or round, RecordingError for a damaged recording
    or message logs, EmulationError if the round was not recorded or cannot be measured.
    """
    run_source.require_recorded(study, printable(str(scenario)))
    for name in variants:
        if name not in study.variants:
            near = nearest(name, study.variants)
            raise ScenarioError(
                f"--variant: found {name!r}; allowed: {', '.join(study.variants)}",
                f"did you mean {near!r}?" if near else "",
            )
    found: list[Case] = []
    for training in study.trainings():
        if training.seed != study.scenario.training.seeds[0]:
            continue
        for label, variant in training.variants.items():
            if label in (variants or study.variants):
                rows = replay(training, variant, scenario, recordings, number)
                found.append(
                    case(
                        training.method, label, variant, training.seed, rows, number, most,
                        by_flower=by_flower,
                    )
                )  # fmt: skip
    return found


def check_limit(cases: Iterable[Case], repeats: int, limit_s: float) -> None:
    """Raises EmulationError if `repeats` of each case take more than `limit_s` seconds."""
    took_s = sum(case.costs_s(repeats) for case in cases)
    if took_s > limit_s:
        raise EmulationError(
            f"found {took_s:.0f} s of measurements; allowed: {limit_s:g} s (--limit)",
            "select with --method and --variant, lower --repeats, or raise --limit",
        )


def replay(
    training: TrainingJob, scenario: Scenario, path: Path, recordings: Path, number: int
) -> EventTable:
    """The rows of `scenario` up to round `number`, from the recording."""
    if number > scenario.training.rounds:
        raise ScenarioError(f"--round: found {number}; allowed: 1 to {scenario.training.rounds}")
    recording = opened(training, recordings)

    def unrecorded() -> NoReturn:
        raise EmulationError(
            f"{training.method}: found {len(recording.steps)} recorded rounds in {recordings}; "
            f"allowed: {number} or more, for the encoded sizes of their messages",
            f"run it first: flasc-emu run {quote(str(path))} --method {quote(training.method)}",
        )

    shortened = scenario.training.model_copy(update={"rounds": number})
    trainer = _Replayed(recording, unrecorded)
    shorter = scenario.model_copy(update={"training": shortened})
    return simulate(shorter, training.seed, trainer, network_seed=scenario.draws[0])


def case(
    method: str,
    variant: str,
    scenario: Scenario,
    seed: int,
    rows: Iterable[Row],
    number: int,
    most: int | None = None,
    *,
    by_flower: bool = False,
) -> Case:
    """Round `number` of `rows` as a case, with the first `most` clients. Raises EmulationError."""
    _require_application(scenario, f"{method}, {variant}", by_flower=by_flower)
    rows = [row for row in rows if row.round == number]
    if any(getattr(row, "outcome", "used") != "used" or isinstance(row, Absence) for row in rows):
        raise EmulationError(
            f"{method}, {variant}: found interrupted client tasks in round {number}; "
            "allowed: a round of whole messages",
            "select another round with --round, or use --set policy=synchronous",
        )
    computed_s = {r.client: r.finish_s - r.start_s for r in rows if isinstance(r, Computation)}
    sent = {(r.client, r.direction): r.nbytes for r in rows if isinstance(r, Transfer)}
    clients = sorted({client for client, _ in sent})[:most]
    requests = 1 if by_flower else scenario.network.application.requests
    messages: list[Message] = []
    for index, client in enumerate(clients):
        if (client, "down") in sent:
            nbytes = sent[client, "down"]
            messages.append(Message(index, "down", nbytes, requests=requests))
        if (client, "up") in sent:
            down = len(messages) - 1 if (client, "down") in sent else None
            nbytes, pause_s = sent[client, "up"], computed_s.get(client, 0.0)
            messages.append(Message(index, "up", nbytes, pause_s, down, requests))
    draw = scenario.draws[0]
    star = _star(scenario, seed if draw is None else draw, clients, f"{method}, {variant}")
    tcp, application = scenario.network.transport.model(), scenario.network.application
    as_sent, arrays = tcp, (application.arrays or 1) if by_flower else None
    if tcp and by_flower:
        as_sent = dataclasses.replace(tcp, handshake=False)  # a SuperNode has long been connected
    simulated = time_messages(star, messages, as_sent, application=application.model())
    return Case(
        method, variant, seed, number, clients, star, messages, tcp, simulated, arrays, draw
    )


def _require_application(scenario: Scenario, name: str, *, by_flower: bool) -> None:
    """Raises EmulationError if the measurement sends messages in another way than the scenario."""
    application = scenario.network.application
    if by_flower and application.preset != "flower":
        raise EmulationError(
            f"{name}: found application {application.preset}; allowed with --flower: flower",
            "add --set network.application=flower",
        )
    plain = (None, Application(requests=application.requests))
    if not by_flower and application.model() not in plain:
        raise EmulationError(
            f"{name}: found application {application.describe()}; allowed: raw with any number of "
            "requests, since the measurement sends messages over plain TCP connections",
            "add --set network.application=raw, or --flower for application flower",
        )


def _star(scenario: Scenario, seed: int, clients: list[int], name: str) -> Star:
    """The links of `clients`. Raises EmulationError for what cannot be measured."""
    network = scenario.network
    drawn = fleet.draw_fleet(network, scenario.compute, scenario.task.clients, seed)
    if drawn.loss[clients].any():
        raise EmulationError(
            f"{name}: found loss; allowed: none, since each repetition would lose other segments",
            "add --set network.clients.loss=0; docs/background/accuracy.md has means under loss",
        )
    if (drawn.cell[clients] >= 0).any() or drawn.half_duplex[clients].any():
        raise EmulationError(
            f"{name}: found cells or half-duplex links; allowed: a star of full-duplex links"
        )
    if changing := link_profiles.changing(network):
        raise EmulationError(
            f"{name}: found rates that change ({', '.join(changing)}); allowed: constant rates"
        )
    if len(clients) > MAX_CLIENTS:
        raise EmulationError(
            f"{name}: found {len(clients)} clients in a round; allowed: {MAX_CLIENTS}"
        )
    return Star(
        up_Bps=drawn.up_Bps[clients].tolist(),
        down_Bps=drawn.down_Bps[clients].tolist(),
        delay_s=drawn.delay_s[clients].tolist(),
        loss=[0.0] * len(clients),
        server_up_Bps=drawn.server_up_Bps,
        server_down_Bps=drawn.server_down_Bps,
    )
