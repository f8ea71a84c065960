"""Comparison of methods and variants over seeds (docs/howto/compare_runs.md has the formulas).

A contrast compares one method under one variant with a baseline method under the same variant, or
with itself under a baseline variant, by the time to the target, or to the end without a target.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from emulator.common.errors import ScenarioError
from emulator.common.text import suggestion
from emulator.results.metrics import Outcome, Point, Spread, spread
from emulator.results.resolution import Resolution, Run
from emulator.results.statistics import LEVEL, Effect, holm, paired, sign_test, unpaired
from emulator.simulation.target import ACCURACY, FIRST, Goal, Measure, Rule, merit

Verdict = Literal["baseline", "faster", "slower", "not shown", "one seed", "no baseline"]
Cost = Literal["time_s", "nbytes"]


@dataclass(frozen=True, slots=True)
class Contrast:
    """One method under one variant, compared with `baseline`; None: no statement is possible.

    `time_s` and `nbytes` (down and up together) are to the target, over `seeds` and over `draws` of
    the fleet (0: each seed draws its own); `speedup` is the baseline's time divided by this one,
    with its band. Draws are not independent evidence about a training, so that statistics are over
    the means of seeds: see `_by_seed`. Of the `shared` pairs of one seed and one draw, this is the
    faster one in `wins`. `accuracy_gain` is the difference of the
    last accuracies, with its band; below 0 is better if the metric is to fall. Bands (of confidence
    `level`) and the two-sided `p_alone` are of this contrast alone. `p` is corrected for all
    `tests` contrasts of the table and gives the verdict.
    """

    method: str
    variant: str
    baseline: str
    seeds: int
    shared_seeds: int
    reached: int
    time_s: Spread
    nbytes: Spread
    final_accuracy: Spread
    speedup: float | None = None
    speedup_low: float | None = None
    speedup_high: float | None = None
    p: float | None = None
    verdict: Verdict = "baseline"
    accuracy_gain: float | None = None
    accuracy_gain_low: float | None = None
    accuracy_gain_high: float | None = None
    level: float = LEVEL
    p_alone: float | None = None
    tests: int = 0
    draws: int = 0
    wins: int = 0
    shared: int = 0

    @property
    def simulations(self) -> int:
        """The number of simulations: one per seed and draw."""
        return self.seeds * max(1, self.draws)


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A model on the Pareto front of `cost` and accuracy; medians over seeds."""

    variant: str
    cost: Cost
    value: float
    accuracy: float
    method: str
    round: int


@dataclass(frozen=True)
class Comparison:
    """All contrasts with `baseline`, a method or a variant; `target` None compares whole runs.

    `target` is a value of `measure`. `ended_at` is the easier target after which runs ended, if
    they did: a harder one that was not reached says little. `metric` is the name of the
    accuracies, `metric_measure` says whether they are to grow, `rule` which evaluation reaches the
    target. `incomplete` has a sentence for each run that lacks simulations.
    """

    baseline: str
    target: float | None
    ended_at: float | None
    contrasts: tuple[Contrast, ...]
    fronts: tuple[FrontPoint, ...]
    metric: str = "accuracy"
    incomplete: tuple[str, ...] = ()
    rule: Rule = FIRST
    measure: Measure = ACCURACY
    metric_measure: Measure = ACCURACY


@dataclass(frozen=True, slots=True)
class Measured:
    """Metrics of one simulation, and its evaluations."""

    outcome: Outcome
    points: tuple[Point, ...]


Cells = dict[tuple[str, str], dict[Run, Measured]]  # (method, variant): by seed and draw
Outcomes = Mapping[tuple[str, str], Mapping[Run, Outcome]]  # the same, without evaluations


def contrasted(
    cells: Cells,
    baseline: str | None,
    goal: Goal | None,
    ended_at: float | None = None,
    metric: Measure = ACCURACY,
) -> Comparison:
    """Return the comparison of `cells`; `metric` is to grow or to fall.

    Raises ScenarioError for an unknown baseline.
    """
    methods = list(dict.fromkeys(method for method, _ in cells))
    variants = list(dict.fromkeys(variant for _, variant in cells))
    baseline = baseline or methods[0]
    if baseline not in (*methods, *variants):
        told = suggestion(baseline, [*methods, *variants])
        raise ScenarioError(f"--baseline {baseline}: found no such method or variant{told}")
    outcomes = {key: {s: m.outcome for s, m in cell.items()} for key, cell in cells.items()}
    fronts = [
        point
        for variant in variants
        for cost in ("time_s", "nbytes")
        for point in front(
            {m: c for (m, v), c in cells.items() if v == variant}, variant, cost, metric
        )
    ]
    found = contrasts(outcomes, baseline, of_methods=baseline in methods)
    if goal is None:
        return Comparison(baseline, None, ended_at, found, tuple(fronts))
    return Comparison(
        baseline, goal.value, ended_at, found, tuple(fronts), rule=goal.rule, measure=goal.measure
    )


def contrasts(outcomes: Outcomes, baseline: str, *, of_methods: bool) -> tuple[Contrast, ...]:
    """Return a contrast per method and variant with `baseline`, a method or else a variant.

    This decides which differences are shown: all tables and sentences take the verdict from here.
    """
    found = []
    for (method, variant), ours in outcomes.items():
        key = (baseline, variant) if of_methods else (method, baseline)
        found.append(_contrast(method, variant, baseline, ours, outcomes.get(key, {}), key))
    tested = {index: each.p_alone for index, each in enumerate(found) if each.p_alone is not None}
    for index, p in zip(tested, holm(list(tested.values())), strict=True):
        verdict = found[index].verdict if p <= 1 - LEVEL else "not shown"
        found[index] = replace(found[index], p=p, tests=len(tested), verdict=verdict)
    return tuple(found)


def _contrast(
    method: str,
    variant: str,
    baseline: str,
    ours: Mapping[Run, Outcome],
    theirs: Mapping[Run, Outcome],
    key: tuple[str, str],
) -> Contrast:
    """Return the contrast with the verdict of this contrast alone."""
    shared = [run for run in ours if run in theirs]
    outcomes = list(ours.values())
    draws = {run.network_seed for run in ours} - {None}
    plain = Contrast(
        method=method,
        variant=variant,
        baseline=baseline,
        seeds=len({run.seed for run in ours}),
        shared_seeds=len({run.seed for run in shared}),
        reached=sum(math.isfinite(_time_s(o)) for o in outcomes),
        time_s=spread(map(_time_s, outcomes)),
        nbytes=spread(map(_nbytes, outcomes)),
        final_accuracy=spread(o.final_accuracy for o in outcomes),
        draws=len(draws),
    )
    if (method, variant) == key or not theirs:
        return plain if theirs else replace(plain, verdict="no baseline")
    ours_s, theirs_s = ({r: _time_s(o) for r, o in each.items()} for each in (ours, theirs))
    faster = _time_effect(ours_s, theirs_s, Resolution(ours, theirs))
    testable = not math.isnan(faster.p)
    gain = _gain(_scores(ours), _scores(theirs))
    found: Verdict = "faster" if faster.mean > 0 else "slower"
    return replace(
        plain,
        speedup=_exp(faster.mean),
        speedup_low=_exp(faster.low),
        speedup_high=_exp(faster.high),
        p_alone=faster.p if testable else None,
        verdict=found if testable else "one seed",
        accuracy_gain=gain.mean if gain else None,
        accuracy_gain_low=_finite(gain.low) if gain else None,
        accuracy_gain_high=_finite(gain.high) if gain else None,
        wins=sum(ours_s[run] < theirs_s[run] for run in shared),
        shared=len(shared),
    )


def _scores(outcomes: Mapping[Run, Outcome]) -> dict[Run, float]:
    """Return the last accuracies; a message log may have none."""
    return {s: o.final_accuracy for s, o in outcomes.items() if o.final_accuracy is not None}


def _gain(ours: Mapping[Run, float], theirs: Mapping[Run, float]) -> Effect | None:
    """Return the difference of the accuracies; None if one of the two has no scores."""
    return _effect(ours, theirs) if ours and theirs else None


def _time_effect(
    ours_s: Mapping[Run, float], theirs_s: Mapping[Run, float], least: Resolution
) -> Effect:
    """Return the effect on ln(theirs / ours).

    If a run did not reach the target, or reached it at once, there is no ratio: the sign test over
    seeds decides and the mean is infinite. A seed is won with more than half of its decided draws.
    """
    if all(0 < seconds < math.inf for seconds in (*ours_s.values(), *theirs_s.values())):
        ours, theirs = ({run: -math.log(s) for run, s in of.items()} for of in (ours_s, theirs_s))
        return _effect(ours, theirs, least)
    lead: dict[int, int] = {}
    for run in ours_s.keys() & theirs_s.keys():
        sign = (ours_s[run] < theirs_s[run]) - (ours_s[run] > theirs_s[run])
        lead[run.seed] = lead.get(run.seed, 0) + sign
    wins, losses = sum(n > 0 for n in lead.values()), sum(n < 0 for n in lead.values())
    p = sign_test(wins, losses) if len(lead) > 1 else math.nan
    return Effect(math.copysign(math.inf, wins - losses), -math.inf, math.inf, p)


def _effect(
    ours: Mapping[Run, float], theirs: Mapping[Run, float], least: Resolution | None = None
) -> Effect:
    """Return ours minus theirs, paired by seed and draw or by means; one seed has no band.

    `least` is how finely they were measured; None: exactly.
    """
    shared = [run for run in ours if run in theirs]
    if len(differences := _by_seed({run: ours[run] - theirs[run] for run in shared})) > 1:
        return paired(differences, statistics.fmean(map(least.of_pair, shared)) if least else 0.0)
    means, others = _by_seed(ours), _by_seed(theirs)
    if min(len(means), len(others)) > 1:
        return unpaired(means, others, least.of_each if least else (0.0, 0.0))
    mean = statistics.fmean(means) - statistics.fmean(others)
    return Effect(mean, -math.inf, math.inf, math.nan)


def _by_seed(values: Mapping[Run, float]) -> list[float]:
    """Return the mean over the draws of each seed, in the order of the seeds.

    A hundred draws of one training are one run of that training: only seeds are independent.
    """
    found: dict[int, list[float]] = {}
    for run, value in values.items():
        found.setdefault(run.seed, []).append(value)
    return [statistics.fmean(found[seed]) for seed in sorted(found)]


def front(
    cells: Mapping[str, Mapping[Run, Measured]],
    variant: str,
    cost: Cost,
    metric: Measure = ACCURACY,
) -> list[FrontPoint]:
    """Return the Pareto front of (cost, accuracy) over all evaluations of all methods, by cost.

    `metric` says whether the accuracies are to grow or to fall.
    """
    candidates = [
        FrontPoint(
            variant,
            cost,
            statistics.median(getattr(point, cost) for point in of_round),
            statistics.median(point.accuracy for point in of_round),
            method,
            of_round[0].round,
        )
        for method, by_seed in cells.items()
        for of_round in _by_round([measured.points for measured in by_seed.values()])
    ]
    best: list[FrontPoint] = []
    for point in sorted(candidates, key=lambda p: (p.value, -merit(p.accuracy, metric))):
        if not best or merit(point.accuracy, metric) > merit(best[-1].accuracy, metric):
            best.append(point)
    return best


def _by_round(of_seeds: Sequence[Sequence[Point]]) -> list[list[Point]]:
    """Return the points of each round that all seeds evaluated."""
    by_round = [{point.round: point for point in seed} for seed in of_seeds]
    common = sorted(set.intersection(*(set(seed) for seed in by_round)))
    return [[seed[number] for seed in by_round] for number in common]


def _time_s(found: Outcome) -> float:
    """Return the seconds to the target (inf: never), or of the whole run without a target."""
    to_target = found.duration_s if found.target is None else found.time_to_target_s
    return math.inf if to_target is None else to_target


def _nbytes(found: Outcome) -> float:
    if found.target is None:
        return found.bytes_down + found.bytes_up
    down, up = found.bytes_down_to_target, found.bytes_up_to_target
    return math.inf if down is None or up is None else down + up


def _exp(value: float) -> float | None:
    return math.exp(value) if abs(value) < 700 else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
