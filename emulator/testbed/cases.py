"""Which messages a validation re-enacts: those of one round, as they were encoded."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import NoReturn

from emulator.common.errors import EmulationError, ScenarioError
from emulator.common.text import nearest, printable
from emulator.network.network import Delivery
from emulator.network.tcp import Congestion, Tcp
from emulator.runner.recording import Recording, RecordingTrainer
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import Study, TrainingJob
from emulator.simulation.clients import fleet, link_profiles
from emulator.simulation.records import Absence, Computation, Row, Transfer
from emulator.simulation.simulate import simulate
from emulator.testbed.schedule import Message, Star
from emulator.testbed.simulate import time_messages
from flasc.common.messages import Score

STAGE_S = 1.0  # to build a stage and end it
MOST_CLIENTS = 100  # namespaces and devices


@dataclass(frozen=True)
class Case:
    """One round under one variant: real messages, and when the simulation says they arrive.

    Message `i` is of client `clients[messages[i].client]`; `seed` made the fleet.
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

    @property
    def makespan_s(self) -> float:
        """Simulated seconds from the first start to the last arrival."""
        return max(float(delivery.finish_s) for delivery in self.simulated)

    @property
    def name(self) -> str:
        """For people."""
        return printable(f"{self.method}, {self.variant}")

    @property
    def congestion(self) -> Congestion:
        """What is simulated, or what an ordinary machine does."""
        return self.transport.congestion if self.transport else "cubic"

    @property
    def cost_s(self) -> float:
        """Seconds that a re-enactment takes this machine."""
        return self.makespan_s + STAGE_S

    @property
    def at_once(self) -> float:
        """Bytes/s that may cross the network at once."""
        rates = {"down": self.star.down_Bps, "up": self.star.up_Bps}
        spans = [
            (delivery.start_s, delivery.finish_s, rates[message.direction][message.client])
            for message, delivery in zip(self.messages, self.simulated, strict=True)
        ]
        most_Bps = max(sum(r for a, b, r in spans if a <= time_s < b) for time_s, _, _ in spans)
        return min(most_Bps, self.star.server_up_Bps + self.star.server_down_Bps)


class _Replayed(RecordingTrainer):
    """What was recorded, without its scores: a round in between may never have been scored."""

    def evaluate(self, split: str) -> Score:
        """A score that no target is below."""
        return Score(1, 0.0, 0.0)


def cases(
    study: Study, scenario: Path, recordings: Path, variants: Sequence[str], number: int
) -> list[Case]:
    """Round `number` of each of the study's methods, under the named variants or all.

    Raises ScenarioError for a name or round that is not there, RecordingError for a damaged
    recording, EmulationError where the round was not recorded or cannot be re-enacted.
    """
    for name in variants:
        if name not in study.variants:
            near = nearest(name, study.variants)
            raise ScenarioError(
                f"--variant: found {name!r}; allowed: {', '.join(study.variants)}",
                f"did you mean {near!r}?" if near else "",
            )
    return list(_cases(study, scenario, recordings, variants or list(study.variants), number))


def _cases(
    study: Study, path: Path, recordings: Path, variants: Sequence[str], number: int
) -> Iterator[Case]:
    for training in study.trainings():
        if training.seed != study.scenario.training.seeds[0]:
            continue
        for label, scenario in training.variants.items():
            if label in variants:
                rows = replay(training, scenario, path, recordings, number)
                yield case(training.method, label, scenario, training.seed, rows, number)


def check_limit(cases: Iterable[Case], repeats: int, limit_s: float) -> None:
    """Raise EmulationError where `repeats` of each case take more than `limit_s` seconds."""
    took_s = repeats * sum(case.cost_s for case in cases)
    if took_s > limit_s:
        raise EmulationError(
            f"found {took_s:.0f} s of re-enactment; allowed: {limit_s:g} s (--limit)",
            "choose with --method and --variant, repeat less with --repeats, or raise --limit",
        )


def replay(
    training: TrainingJob, scenario: Scenario, path: Path, recordings: Path, number: int
) -> list[Row]:
    """The rows of `scenario` up to round `number`, from the recording alone."""
    if number > scenario.training.rounds:
        raise ScenarioError(f"--round: found {number}; allowed: 1 to {scenario.training.rounds}")
    recording = Recording(recordings, training.settings.model_dump(mode="json"))

    def unrecorded() -> NoReturn:
        raise EmulationError(
            f"{training.method}: found {len(recording.steps)} recorded rounds in {recordings}; "
            f"allowed: {number} or more, because messages have the sizes they were encoded to",
            f"run it first: flasc-emu run {quote(str(path))} --method {quote(training.method)}",
        )

    shortened = scenario.training.model_copy(update={"rounds": number})
    trainer = _Replayed(recording, unrecorded)
    return simulate(scenario.model_copy(update={"training": shortened}), training.seed, trainer)


def case(
    method: str, variant: str, scenario: Scenario, seed: int, rows: Iterable[Row], number: int
) -> Case:
    """Round `number` of `rows`, alone on the network. Raises EmulationError."""
    rows = [row for row in rows if row.round == number]
    if any(getattr(row, "outcome", "used") != "used" or isinstance(row, Absence) for row in rows):
        raise EmulationError(
            f"{method}, {variant}: found work that was broken off in round {number}; "
            "allowed: a round of whole messages",
            "choose another with --round, or --set policy=synchronous",
        )
    computed_s = {r.client: r.finish_s - r.start_s for r in rows if isinstance(r, Computation)}
    sent = {(r.client, r.direction): r.nbytes for r in rows if isinstance(r, Transfer)}
    clients = sorted({client for client, _ in sent})
    messages: list[Message] = []
    for index, client in enumerate(clients):
        if (client, "down") in sent:
            messages.append(Message(index, "down", sent[client, "down"]))
        if (client, "up") in sent:
            down = len(messages) - 1 if (client, "down") in sent else None
            nbytes, pause_s = sent[client, "up"], computed_s.get(client, 0.0)
            messages.append(Message(index, "up", nbytes, pause_s, down))
    star = _star(scenario, seed, clients, f"{method}, {variant}")
    settings = scenario.network.transport
    tcp = None if settings.kind == "fluid" else Tcp(**settings.model_dump(exclude={"kind"}))
    simulated = time_messages(star, messages, tcp)
    return Case(method, variant, seed, number, clients, star, messages, tcp, simulated)


def _star(scenario: Scenario, seed: int, clients: list[int], name: str) -> Star:
    """The links of `clients`; what cannot be re-enacted is refused."""
    network = scenario.network
    everybody = fleet.draw_fleet(network, scenario.compute, scenario.task.clients, seed)
    if everybody.loss[clients].any():
        raise EmulationError(
            f"{name}: found loss; allowed: none, since it makes every single transfer differ",
            "add --set network.clients.loss=0; docs/background/accuracy.md compares means under "
            "loss",
        )
    if (everybody.cell[clients] >= 0).any() or everybody.half_duplex[clients].any():
        raise EmulationError(
            f"{name}: found cells or half-duplex links; allowed: a star of full-duplex links"
        )
    if changing := link_profiles.changing(network):
        raise EmulationError(
            f"{name}: found rates that change ({', '.join(changing)}); allowed: constant ones"
        )
    if len(clients) > MOST_CLIENTS:
        raise EmulationError(
            f"{name}: found {len(clients)} clients in a round; allowed: {MOST_CLIENTS}"
        )
    return Star(
        up_Bps=everybody.up_Bps[clients].tolist(),
        down_Bps=everybody.down_Bps[clients].tolist(),
        delay_s=everybody.delay_s[clients].tolist(),
        loss=[0.0] * len(clients),
        server_up_Bps=everybody.server_up_Bps,
        server_down_Bps=everybody.server_down_Bps,
    )
