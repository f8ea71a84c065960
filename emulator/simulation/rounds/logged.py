"""Simulates a training that another program ran, from its messages and scores.

Who took part in each round, and what the model scored, is logged; only time is simulated. The
rounds are synchronous. If more updates arrived than were merged, the first ones end the round.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from typing_extensions import override

from emulator.network.application import Application
from emulator.simulation.records import Evaluation
from emulator.simulation.rounds.client_task import Process
from emulator.simulation.rounds.context import SimulationContext
from emulator.simulation.rounds.evaluation import Evaluator
from emulator.simulation.rounds.round_loop import RoundRule, run_rounds
from emulator.simulation.selection.base import Clients, Selector
from emulator.simulation.trainer import LoggedUpload, Trainer
from flasc.common.messages import MessageInfo, Score, TrainingMetadata


@dataclass(frozen=True, slots=True)
class LoggedVisit:
    """One request to a client: bytes to it and from it, and its local training between them.

    `seconds` is None if the time is not logged, `examples` if the number is not.
    """

    down: int
    up: int
    seconds: float | None = None
    examples: int | None = None
    steps: int = 0
    failed: bool = False


@dataclass(frozen=True, slots=True)
class LoggedRound:
    """{client: its visit}, in the order of the log, and how many updates the server merged.

    `scores` are those after the round by split; a loss or a number of examples may be UNKNOWN.
    """

    visits: Mapping[int, LoggedVisit]
    merged: int
    scores: Mapping[str, Score] = field(default_factory=dict)

    def rule(self) -> RoundRule:
        """The round ends with the merged updates, or with all clients if each update was merged."""
        arrived = sum(not visit.failed for visit in self.visits.values())
        first = self.merged if 0 < self.merged < arrived else len(self.visits)
        return RoundRule(select=len(self.visits), first=first)


@dataclass(frozen=True)
class LoggedTraining:
    """All rounds of one training, and the examples and the group of each client, if known.

    `initial` has the scores of the model before the first round, by split. `source` says where the
    log is from, for the provenance; `remarks` and `file_remarks` what was noticed in it, the
    latter with its file. `application` is how the program sent its messages; None: not known.
    """

    rounds: Sequence[LoggedRound]
    examples: Sequence[int] | None = None
    groups: Mapping[int, str] = field(default_factory=dict)
    initial: Mapping[str, Score] = field(default_factory=dict)
    source: str = ""
    remarks: tuple[str, ...] = ()
    file_remarks: tuple[str, ...] = ()
    application: Application | None = None

    @property
    def cohort(self) -> int:
        """The largest number of clients of a round."""
        return max(len(each.visits) for each in self.rounds)

    def scores(self, number: int) -> Mapping[str, Score]:
        """The scores after round `number`, by split; 0: of the initial model."""
        return self.rounds[number - 1].scores if number else self.initial

    @property
    def scored(self) -> bool:
        """Whether the log has scores on which a target can be measured."""
        return any("validation" in self.scores(n) for n in range(len(self.rounds) + 1))


Logs = Mapping[str, Mapping[int, LoggedTraining]]  # by method, and by seed


def titled(logs: Logs) -> Iterator[tuple[str, LoggedTraining]]:
    """Each training with its title: its method, and its seed if the method has several."""
    for method, by_seed in logs.items():
        for seed, log in by_seed.items():
            yield method + (f", seed {seed}" if len(by_seed) > 1 else ""), log


class LoggedTrainer(Trainer, Selector):
    """Selects the clients that the log names and answers with their messages; trains nothing.

    With `modelled`, the compute model of the scenario replaces the logged seconds. A trainer is
    for one simulation.
    """

    def __init__(self, log: LoggedTraining, *, modelled: bool) -> None:
        self.log, self._modelled = log, modelled
        self._visits: Mapping[int, LoggedVisit] = {}  # of the current round

    def process(self, context: SimulationContext) -> Process:
        """The SimPy process of all rounds."""
        evaluator = _LoggedEvaluator(context, self.log)
        evaluator.evaluate_round(0)
        return run_rounds(context, self._rules(), evaluator)

    def _rules(self) -> Iterator[RoundRule]:
        for each in self.log.rounds:
            yield each.rule()

    @override
    def select(self, number: int, candidates: Clients, count: int) -> Clients:
        self._visits = self.log.rounds[number - 1].visits
        return np.fromiter(self._visits, np.int64, len(self._visits))

    @override
    def download(self, client: int) -> MessageInfo:
        nbytes = self._visits[client].down
        return MessageInfo(client, nbytes, nbytes)

    @override
    def train(self, downloads: Sequence[MessageInfo]) -> Sequence[MessageInfo]:
        return [self._upload(each.client, self._visits[each.client]) for each in downloads]

    def _upload(self, client: int, visit: LoggedVisit) -> LoggedUpload:
        return LoggedUpload(
            client=client,
            nbytes=visit.up,
            value_bytes=visit.up,
            examples=visit.examples or 0,
            steps=visit.steps,
            seconds=None if self._modelled else visit.seconds,
            failed=visit.failed,
        )

    @override
    def aggregate(self, uploads: Sequence[MessageInfo], weights: Sequence[float]) -> None:
        pass

    @override
    def evaluate(self, split: str) -> Score:
        raise AssertionError("scores are in the log, by round")

    @override
    def release(self, messages: Sequence[MessageInfo]) -> None:
        pass

    @override
    def metadata(self, require_flops: bool = False) -> TrainingMetadata:
        return TrainingMetadata(examples=self.log.examples)


class _LoggedEvaluator(Evaluator):
    """Logs the scores of a log after their rounds."""

    def __init__(self, context: SimulationContext, log: LoggedTraining) -> None:
        super().__init__(context)
        self._log = log

    @override
    def evaluate_round(self, number: int) -> bool:
        for split, score in self._log.scores(number).items():
            now_s = self._context.env.now
            row = Evaluation(number, now_s, split, score.examples, score.accuracy, score.loss)
            self._context.log.add(row)
            if split == "validation":
                self._scores.append(row)
        target = self._context.training.target
        ended = target is not None and target.ends(self._scores)
        return ended or number == len(self._log.rounds)
