"""What a search found, as lines for a terminal, as JSON and as a scenario."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.common.files import slug
from emulator.common.text import printable
from emulator.common.units import format_duration, format_size
from emulator.runner import run
from emulator.runner.search.space import Space
from emulator.runner.search.trial import Trial
from emulator.scenario import document
from emulator.scenario.relocate import relocated
from emulator.scenario.study import UNVARIED, Study, flattened
from emulator.simulation.target import FIRST, LOSS, MEANING

PATH = "search.json"
RECOMMENDED = "recommended.yaml"
COLUMNS = ("time", "rounds", "down / up", "best score", "")


@dataclass(frozen=True)
class Compared:
    """One step of a search: the best configuration so far and a neighbour; `moved` if it won."""

    here: Trial
    to: Trial
    moved: bool

    @property
    def by(self) -> str:
        """What decided: the target's measure if neither reached it with any seed, else 'time'."""
        if self.here.times_s or self.to.times_s or not self.here.outcomes:
            return "time"
        return self.here.outcomes[0].target_measure


@dataclass(frozen=True)
class Search:
    """What a search found. `trials` are in the order of their measurement, the start first.

    `ended_by_limit`: neighbours of `best` were left untried. `dense` is LoRA, if it is recorded.
    """

    space: Space
    trials: tuple[Trial, ...]
    steps: tuple[Compared, ...]
    best: Trial
    ended_by_limit: bool
    dense: Trial | None = None


def folder_name(study: Study, space: Space, networks: Sequence[Path]) -> str:
    """Name of the results folder; one per variant, if a scenario has several."""
    name = f"{run.folder_name(study, networks)}-search"
    return f"{name}-{slug(space.variant)}" if len(study.variants) > 1 else name


def start_line(start: Trial) -> str:
    """A line about the start."""
    return f"start: {_named(start)}"


def step_line(step: Compared) -> str:
    """A line about a step: what was measured, and where the search is after it."""
    here = f"{printable(step.here.name)} ({_result(step.here, step.by)})"
    how = "faster" if step.by == "time" else "better"
    verdict = f"{how} than {here}" if step.moved else f"not {how} than {here}, which stays"
    return f"{_named(step.to)}: {verdict}"


def _named(trial: Trial) -> str:
    return f"{printable(trial.name)}: {_result(trial, 'time')} ({trial.source})"


def _result(trial: Trial, by: str) -> str:
    """What decides about a configuration, as text: '12.3 s', 'never', '0.412'."""
    if trial.problem:
        return printable(trial.problem)
    return time_text(trial) if by == "time" else f"{trial.quality:.3f}"


def time_text(trial: Trial) -> str:
    """The mean time of the seeds that reached the target; their number if some did not."""
    if trial.given_up:
        return f"over {format_duration(max(each.duration_s for each in trial.outcomes))}"
    if not trial.times_s:
        return "never"
    some = "" if trial.reached else f" ({len(trial.times_s)} of {len(trial.outcomes)} seeds)"
    return format_duration(statistics.fmean(trial.times_s)) + some


def row(trial: Trial) -> tuple[str, ...]:
    """The cells of a configuration under `COLUMNS`: means over seeds, to the target or the end."""
    if not trial.outcomes:
        return ("failed", "", "", "", printable(trial.problem))
    rounds = statistics.fmean(o.rounds_to_target or o.rounds for o in trial.outcomes)
    down = statistics.fmean(o.bytes_down_to_target or o.bytes_down for o in trial.outcomes)
    up = statistics.fmean(o.bytes_up_to_target or o.bytes_up for o in trial.outcomes)
    return (
        time_text(trial),
        f"{rounds:.3g}",
        f"{format_size(down)} / {format_size(up)}",
        f"{trial.quality:.3f}",
        printable(trial.problem) or trial.source + ", given up" * trial.given_up,
    )


def sentences(found: Search) -> list[str]:
    """The recommendation, and how far it can be relied on."""
    return [
        _recommendation(found),
        *_compared(found),
        _extent(found),
        "One seed is one draw of data and clients: another seed may order them differently."
        if len(_seeds(found)) == 1
        else "flasc-emu compare tests whether the differences are more than luck.",
    ]


def _recommendation(found: Search) -> str:
    scenario, best = found.space.scenario, found.best
    target = scenario.training.goal
    assert target is not None, "a search has a target"
    rule = "" if target.rule == FIRST else f" {MEANING[target.rule]}"
    metric = "" if target.measure == LOSS else f"{scenario.task.metric} "
    goal = f"{metric}{target}{rule}"
    name, n = printable(best.name), len(_seeds(found))
    seeds = "one seed" if n == 1 else f"mean of {n} seeds"
    under = "under the scenario's network"
    if found.space.variant != UNVARIED:
        under = f"under the variant '{printable(found.space.variant)}'"
    if not best.times_s:
        return (
            f"No configuration that was tried reached {goal} {under} ({seeds}). {name} came "
            f"nearest, with {best.quality:.3f}."
        )
    return f"Recommended: {name}. It takes {time_text(best)} to {goal} {under} ({seeds})."


def _compared(found: Search) -> list[str]:
    """The times of the start and of dense LoRA, if they are others."""
    start = found.trials[0]
    others = [("the start", start)] if start != found.best else []
    others += [("dense", found.dense)] if found.dense else []
    return [f"{printable(each.name)} ({what}) takes {_until(each)}." for what, each in others]


def _until(trial: Trial) -> str:
    if trial.times_s:
        return time_text(trial)
    return f"longer than it was run, and has {trial.quality:.3f}"


def _extent(found: Search) -> str:
    tried, whole = len(found.trials), len(found.space.names)
    trained = sum(each.trained_rounds > 0 for each in found.trials)
    why = (
        "ended at its limit, and left neighbours of the recommended one untried"
        if found.ended_by_limit
        else "ended where no neighbour is better"
    )
    failed = [each.name for each in found.trials if not each.outcomes]
    lost = f" Failed: {', '.join(map(printable, failed))}." if failed else ""
    return (
        f"{tried} of {whole} configurations were tried ({trained} trained); the search {why}.{lost}"
    )


def _seeds(found: Search) -> list[int]:
    return found.space.study.scenario.training.seeds


def to_json(found: Search) -> str:
    """The content of `search.json`: docs/reference/file_formats.md."""
    target = found.space.scenario.training.goal
    assert target is not None, "a search has a target"
    steps = [
        {
            "from": step.here.facts(),
            "to": step.to.facts(),
            "winner": (step.to if step.moved else step.here).name,
            "by": step.by,
        }
        for step in found.steps
    ]
    whole = {
        "scenario": found.space.study.scenario.name,
        "variant": found.space.variant,
        "target": target.value,
        "measure": target.measure,
        "rule": target.rule,
        "seeds": _seeds(found),
        "start": found.trials[0].facts(),
        "steps": steps,
        "recommended": found.best.name,
        "reached": bool(found.best.times_s),
        "ended_by_limit": found.ended_by_limit,
        "configurations": [
            {"method": name} | point._asdict() for point, name in found.space.names.items()
        ],
        "dense": found.dense and found.dense.facts(),
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def recommended(found: Search, folder: Path) -> str:
    """A scenario in `folder` with the best configuration and the network of the search."""
    space, best = found.space, found.best
    assert best.point is not None, "the best one was searched"
    data = flattened(space.study, space.variant) | {
        "name": f"{space.study.scenario.name[:88]}-recommended",
        "methods": {best.name: space.method(best.point)},
    }
    about = "".join(f"# {line}\n" for line in sentences(found))
    return f"# Found by flasc-emu search.\n{about}{document.dump(relocated(data, folder))}"
