"""Runs a search: trains or replays one configuration after the other and writes what it found."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from emulator.common import files
from emulator.common.errors import GivenUpError, StorageError
from emulator.results.metrics import outcome
from emulator.runner import run
from emulator.runner.estimates import is_whole
from emulator.runner.events import OnEvent, TrainingFinished, TrainingResult, ignore
from emulator.runner.executors import Engine, Options
from emulator.runner.executors.base import Results
from emulator.runner.failures import summary as summary_of
from emulator.runner.search import summary
from emulator.runner.search.lattice import Point, moves
from emulator.runner.search.space import Space
from emulator.runner.search.summary import Compared, Search
from emulator.runner.search.trial import Forecast, Trial
from emulator.runner.search.walk import Score, Step, walk
from emulator.scenario.study import Study, TrainingJob
from flasc.common.errors import AssetError, UserError

# Shows the trainings of one configuration while it is entered; gives what gets their events.
Watch = Callable[[Sequence[TrainingJob]], AbstractContextManager[OnEvent]]


@dataclass
class _Runner:
    """Measures configurations, and keeps their results for the ledger."""

    space: Space
    options: Options
    engine: Engine
    watch: Watch
    trials: dict[Point, Trial] = field(default_factory=dict)
    results: dict[tuple[str, int], TrainingResult] = field(default_factory=dict)

    def measure(self, point: Point, best: Score | None) -> Score:
        """The score of a configuration, which gives up when it can no longer beat `best`."""
        give_up_s = math.inf if best is None or best.never else best.time_s
        name, study = self.space.names[point], self.space.study_of([point])
        found = self._run(study, self.options, give_up_s)
        failures = [
            (number, each)
            for number, each in enumerate(found.values())
            if not isinstance(each, TrainingResult)
        ]
        if failures and best is None:  # a start that fails is a mistake, and not a configuration
            raise summary_of(study.trainings(), failures)
        self.trials[point] = self._trial(name, point, found)
        return self.trials[point].score(len(study.scenario.training.seeds))

    def dense(self) -> Trial | None:
        """The dense LoRA of the scenario, if it is recorded with every seed."""
        name = self.space.dense()
        if name is None:
            return None
        study = self.space.study_of([], [name])
        if not all(is_whole(job, self.options.recordings) for job in study.trainings()):
            return None
        found = self._run(study, replace(self.options, train=False), math.inf)
        complete = all(isinstance(each, TrainingResult) for each in found.values())
        return self._trial(name, None, found) if complete else None

    def _run(
        self, study: Study, options: Options, give_up_s: float
    ) -> dict[int, TrainingResult | UserError]:
        """The results of a study by seed. Raises what would occur in every configuration."""
        jobs = [replace(job, give_up_s=give_up_s) for job in study.trainings()]
        found: dict[int, TrainingResult | UserError] = {}
        with (
            self.watch(jobs) as on_event,
            closing(self.engine.run_all(jobs, options, on_event)) as ended,
        ):
            for index, result in ended:
                if isinstance(result, StorageError | AssetError):
                    raise result
                on_event(TrainingFinished(index, result))
                found[jobs[index].seed] = result
        return {job.seed: found[job.seed] for job in jobs}

    def _trial(
        self, name: str, point: Point | None, found: Mapping[int, TrainingResult | UserError]
    ) -> Trial:
        done = {seed: each for seed, each in found.items() if isinstance(each, TrainingResult)}
        failed = [each for each in found.values() if not isinstance(each, TrainingResult)]
        early = [error for each in done.values() for error in each.stalled.values()]
        lost = [each for each in (*failed, *early) if not isinstance(each, GivenUpError)]
        problem = next((error.message for error in lost), "")
        trained = sum(each.trained_rounds for each in done.values())
        if failed:
            return Trial(name, point, (), trained, problem)
        self.results |= {(name, seed): each for seed, each in done.items()}
        goal = self.space.scenario.training.goal
        outcomes = (
            outcome(emulation, rows, goal)
            for each in done.values()
            for emulation, rows in each.emulations.items()
        )
        given_up = len(lost) < len(failed) + len(early)
        return Trial(name, point, tuple(outcomes), trained, problem, given_up)


@dataclass(frozen=True)
class _Computed:
    """An engine with results that are known already."""

    results: Mapping[tuple[str, int], TrainingResult]
    workers: int = 1

    def run_all(self, trainings: Sequence[TrainingJob], _: Options, __: OnEvent) -> Results:
        """Yield the known results."""
        for index, job in enumerate(trainings):
            yield index, self.results[job.method, job.seed]


def search(
    space: Space,
    folder: Path,
    options: Options,
    *,
    engine: Engine,
    most: int | None = None,
    watch: Watch = lambda _: nullcontext(ignore),
    on_start: Callable[[Trial], None] = lambda _: None,
    on_step: Callable[[Compared], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Search:
    """Walk over `space`, measuring at most `most` configurations, and write results to `folder`.

    What is recorded is replayed, so an interrupted search resumes. Raises the error of a start that
    fails, and the errors of `run`; a neighbour that fails is worse than what is known.
    """
    limit, steps = most or space.half, list[Compared]()
    with run.recorded(space.study, options) as known:
        for remark in run.remarks_on(space.study_of([space.start]), known):
            on_note(remark)
        runner, forecast = _Runner(space, known, engine, watch), Forecast(space.scenario)
        trials = runner.trials

        def measure(point: Point, best: Score | None) -> Score:
            score = runner.measure(point, best)
            if best is None:
                on_start(trials[point])
            return score

        def expected(here: Point, to: Point) -> float:
            return forecast.seconds(trials[here], to)

        last: Step | None = None
        for last in walk(space.start, space.names, measure, expected, limit):
            steps.append(Compared(trials[last.here], trials[last.to], last.moved))
            on_step(steps[-1])
        dense = runner.dense()
    best = space.start if last is None else last.to if last.moved else last.here
    found = Search(
        space=space,
        trials=tuple(trials.values()),
        steps=tuple(steps),
        best=trials[best],
        ended_by_limit=any(move.to not in trials for move in moves(best, space.names)),
        dense=dense,
    )
    _write(found, runner.results, folder, options)
    return found


def _write(
    found: Search, results: Mapping[tuple[str, int], TrainingResult], folder: Path, options: Options
) -> None:
    """Write the files of a run with all configurations that did not fail, and those of a search."""
    points = [each.point for each in found.trials if each.point and each.outcomes]
    study = found.space.study_of(points, [found.dense.name] if found.dense else [])
    run.run(study, folder, replace(options, train=False), engine=_Computed(results))
    with files.storage(folder):
        files.replace(folder / summary.PATH, summary.to_json(found).encode())
        files.replace(folder / summary.RECOMMENDED, summary.recommended(found, folder).encode())
