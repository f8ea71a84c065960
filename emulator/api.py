"""The Python API: read, run and search scenarios, compare runs. Use `from emulator import ...`.

Results are frozen dataclasses; `frame(rows)` converts any of them to a data frame.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from emulator.common.errors import EmulatorError, LedgerError
from emulator.reports import run_report as report
from emulator.results.comparison import Comparison, Contrast, FrontPoint
from emulator.results.dataframe import frame
from emulator.results.metadata import swept_columns
from emulator.results.metrics import Outcome, curve_points
from emulator.results.stored import open_run
from emulator.results.target_sweep import Budget, BudgetScore, TargetTime, at, target_times, within
from emulator.runner import compare as comparison, inputs, run as running, search as searching
from emulator.runner.events import Event, OnEvent
from emulator.runner.executors import Engine, Local
from emulator.runner.executors.ray_cluster import connected as ray_engine
from emulator.runner.printed_progress import PrintedProgress, seen_by_a_person
from emulator.runner.search import Compared, Search, folder_name
from emulator.scenario import document, study
from emulator.scenario.networks import Given
from emulator.simulation.records import Emulation

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Comparison",
    "Contrast",
    "EmulatorError",
    "FrontPoint",
    "Outcome",
    "Results",
    "Scenario",
    "Score",
    "compare",
    "frame",
    "ray_engine",
    "run",
    "search",
]


# Files and folders, or contents of files by label, as a mapping or as pairs.
Networks = Mapping[str, Mapping[str, Any]] | Iterable[Any]


@dataclass(frozen=True)
class Scenario:
    """A validated scenario; `study` has each of its variants as typed settings."""

    study: study.Study
    networks: tuple[Path, ...] = ()  # their names are part of the folder of results
    swept: tuple[str, ...] = ()  # paths of sweeps that were added; part of it too

    @classmethod
    def read(
        cls,
        path: str | Path | Sequence[str | Path],
        changes: Mapping[str, object] | None = None,
        methods: Sequence[str] = (),
        networks: Networks = (),
        vary: Mapping[str, Any] = MappingProxyType({}),
    ) -> "Scenario":
        """The scenario in a file, in the folder of a run or in a packed recording, or message logs.

        `changes` are new values by dotted path (None deletes a key), `methods` the methods to use
        (empty: all), and `networks` files and folders of files that replace the network, or a
        mapping of labels to contents of such files: {"slow": {"network": {...}}}. There is one
        variant per network; message logs need one. `vary` has the values of swept settings, as in
        a scenario: {"network.clients.up": ["20 Mbps", "5 Mbps"]}. Raises ScenarioError,
        LedgerError, RecordingError and MessageLogError.
        """
        overrides = [f"{key}={_as_yaml(value)}" for key, value in (changes or {}).items()]
        paths = [Path(each) for each in ([path] if isinstance(path, str | Path) else path)]
        given, names = _networks(networks)
        return cls(inputs.read(paths, overrides, methods, given, vary), names, tuple(vary))

    @classmethod
    def of(cls, data: Mapping[str, Any], methods: Sequence[str] = ()) -> "Scenario":
        """The scenario in a mapping with the keys of the YAML file. Raises ScenarioError."""
        tree = document.parse(document.dump(data), "scenario")
        return cls(study.expand_variants(document.with_overrides(tree, ()), "scenario", methods))

    def run(
        self,
        networks: Networks = (),
        network_seeds: Sequence[int] | str | None = None,
        vary: Mapping[str, Any] = MappingProxyType({}),
        **options: Any,
    ) -> "Results":
        """Run the scenario, or one with other `networks`, draws of the fleet and swept settings.

        `networks` and `vary` are as in `read`; `network_seeds` are whole numbers, or a range like
        '0-99'; `options` are those of `run`. Raises the errors of `read` and of `run`.
        """
        found = self
        if networks or vary or network_seeds is not None:
            draws = [] if network_seeds is None else [f"network_seeds={_as_yaml(network_seeds)}"]
            given, names = _networks(networks)
            changed = inputs.changed(self.study, draws, given, vary)
            found = Scenario(changed, names or self.networks, (*self.swept, *vary))
        return run(found, **options)

    @property
    def name(self) -> str:
        """The name of the scenario."""
        return self.study.scenario.name

    @property
    def variants(self) -> list[str]:
        """The labels of the variants."""
        return list(self.study.variants)


def _networks(networks: Networks) -> tuple[Given, tuple[Path, ...]]:
    """Networks as a study reads them, and the names of the folder of results."""
    if isinstance(networks, Mapping):
        return networks, (Path("networks"),) if networks else ()
    listed = list(networks)
    if listed and all(isinstance(each, tuple) for each in listed):
        return dict(listed), (Path("networks"),)
    files = tuple(Path(each) for each in listed)
    return files, files


def _as_yaml(value: object) -> str:
    """JSON in ASCII: \\U escapes instead of surrogate pairs, which YAML does not allow."""
    return json.dumps(value, ensure_ascii=False).encode("ascii", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class Score:
    """A model scored on the validation split, with simulated seconds and bytes until then."""

    method: str
    variant: str
    seed: int
    round: int
    time_s: float
    nbytes: int
    accuracy: float
    network_seed: int | None = None


@dataclass(frozen=True)
class Results:
    """The results of a run: one outcome per simulation, and every scored model.

    `missing` are the simulations that an incomplete run lacks, with `method`, `variant` and `seed`.
    `settings` has the numbers of sweeps by variant: {"up 5 Mbps": {"network.clients.up_bps": 5e6}}.
    """

    folder: Path
    outcomes: tuple[Outcome, ...]
    scores: tuple[Score, ...]
    missing: tuple[Emulation, ...] = ()
    settings: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def frame(self) -> "pd.DataFrame":
        """The outcomes as a data frame, with a column per swept setting. Raises SupportError."""
        return frame(self.outcomes, self.settings)

    def times_to(self, targets: Sequence[float]) -> tuple[TargetTime, ...]:
        """What each simulation takes to each target, values of the measure of the run's target.

        Without a target in the run, they are values of its metric. Raises LedgerError.
        """
        found = self._study()
        return tuple(target_times(found.curves, at(found.any_goal, targets)))

    def within(
        self, seconds: Sequence[float] = (), nbytes: Sequence[float] = ()
    ) -> tuple[BudgetScore, ...]:
        """The accuracy (the metric) at the last evaluation within each budget. Raises LedgerError.

        Seconds are simulated; bytes are down and up together.
        """
        budgets = [Budget(seconds=each) for each in seconds]
        budgets += [Budget(nbytes=each) for each in nbytes]
        return tuple(within(self._study().curves, budgets))

    def _study(self) -> report.Study:
        with open_run(self.folder) as stored:
            return report.load(stored)

    @classmethod
    def read(cls, folder: str | Path, partial: bool = False) -> "Results":
        """The results in the folder of a run. Raises LedgerError.

        An incomplete run is an error, except with `partial`: see `missing`.
        """
        with open_run(Path(folder)) as stored:
            if not partial and (lacking := report.incomplete(stored)):
                raise LedgerError(
                    f"{folder}: {lacking}", "Results.read(folder, partial=True) reads what is there"
                )
            found = report.load(stored)
            scores = tuple(
                Score(each.method, each.variant, each.seed, *point, each.network_seed)
                for each, scored in found.curves.items()
                for point in curve_points(scored)
            )
            numbers = swept_columns(found.swept)
            return cls(Path(folder), found.outcomes, scores, found.missing, numbers)


def run(
    scenario: Scenario | str | Path,
    out: str | Path | None = None,
    recordings: str | Path | None = None,
    workers: int = 1,
    device: str = "auto",
    engine: Engine | None = None,
    on_event: OnEvent | None = None,
    train: bool = True,
    progress: bool | None = None,
    keep: running.Keep = "ledger",
) -> Results:
    """Train what is not recorded, simulate, write the reports to `out`; returns the results.

    `out` None is runs/NAME, with -on-NETWORK for each network of the scenario. `recordings` None is
    runs/recordings, or that of the run that the scenario was read from. With more than one of
    `workers`, which are processes, call this under `if __name__ == "__main__":`; an `engine`
    replaces them. `on_event` is called with each event of `emulator.runner.events`. With `train`
    False, what is not recorded is an error. `keep` 'summary' stores a summary of each simulation
    in place of its rows. `progress` prints what is trained to stderr; None: on
    a terminal and in a notebook, without `on_event`. Raises EmulationError if a method failed, and
    the errors of `Scenario.read`.
    """
    found = scenario if isinstance(scenario, Scenario) else Scenario.read(scenario)
    name = running.folder_name(found.study, found.networks, found.swept)
    folder = Path(out) if out else Path("runs") / name
    store = None if recordings is None else Path(recordings)
    options = running.options_for(found.study, store, device, train, keep)
    shown = on_event is None and seen_by_a_person() if progress is None else progress
    listeners: list[OnEvent] = [on_event] if on_event else []
    if shown:
        listeners.append(PrintedProgress(found.study.trainings()))

    def tell(event: Event) -> None:
        for listener in listeners:
            listener(event)

    chosen = engine or Local(workers)
    outcome = running.run(found.study, folder, options, engine=chosen, on_event=tell)
    if outcome.failure:
        raise outcome.failure
    return Results.read(folder)


def search(
    scenario: Scenario | str | Path,
    method: str | None = None,
    variant: str | None = None,
    rank: Sequence[int] = (),
    down: Sequence[float] = (),
    up: Sequence[float] = (),
    trainings: int | None = None,
    out: str | Path | None = None,
    recordings: str | Path | None = None,
    workers: int = 1,
    device: str = "auto",
    engine: Engine | None = None,
    on_step: Callable[[Compared], None] | None = None,
) -> Search:
    """Search the rank and densities of FLASC that reach the target soonest; writes to `out`.

    Parameters are as in docs/howto/search_densities.md and in `run`; `on_step` is called with each
    comparison. Raises the errors of `run`.
    """
    found = scenario if isinstance(scenario, Scenario) else Scenario.read(scenario)
    space = searching.read_space(found.study, method, variant, searching.Axes(rank, down, up))
    store = None if recordings is None else Path(recordings)
    return searching.search(
        space,
        Path(out) if out else Path("runs") / folder_name(found.study, space, found.networks),
        running.options_for(found.study, store, device),
        engine=engine or Local(workers),
        most=trainings,
        on_step=on_step or (lambda _: None),
    )


def compare(
    *runs: Results | str | Path,
    baseline: str | None = None,
    target: float | None = None,
    force: bool = False,
) -> Comparison:
    """Compare runs: docs/howto/compare_runs.md. Raises LedgerError and ScenarioError."""
    folders = [each.folder if isinstance(each, Results) else Path(each) for each in runs]
    return comparison.compare(folders, baseline, target, force)
