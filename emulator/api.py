"""The Python API: read a scenario, run it, compare runs. Use `from emulator import ...`.

Results are frozen dataclasses; `frame(rows)` converts any of them to a data frame.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.common.errors import EmulationError, EmulatorError
from emulator.reports import run_report as report
from emulator.results.comparison import Comparison, Contrast, FrontPoint
from emulator.results.dataframe import frame
from emulator.results.ledger import Ledger
from emulator.results.metrics import Outcome, points
from emulator.runner import compare as comparison, inputs, run as running
from emulator.runner.events import OnEvent, ignore
from emulator.runner.executors import Engine, Local, Options
from emulator.runner.executors.ray_cluster import connected as ray_engine
from emulator.scenario import document, study

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
]


@dataclass(frozen=True)
class Scenario:
    """A validated scenario; `study` has each of its variants as typed settings."""

    study: study.Study
    networks: tuple[Path, ...] = ()  # their names are part of the folder of results

    @classmethod
    def read(
        cls,
        path: str | Path,
        changes: Mapping[str, object] | None = None,
        methods: Sequence[str] = (),
        networks: Sequence[str | Path] = (),
    ) -> "Scenario":
        """The scenario in a file, in the folder of a run or in a packed recording.

        `changes` are new values by dotted path (None deletes a key), `methods` the methods to use
        (empty: all), and `networks` files that replace the network, one variant per file. Raises
        ScenarioError, LedgerError and RecordingError.
        """
        overrides = [f"{key}={_as_yaml(value)}" for key, value in (changes or {}).items()]
        files = tuple(Path(each) for each in networks)
        return cls(inputs.read(Path(path), overrides, methods, files), files)

    @classmethod
    def of(cls, data: Mapping[str, Any], methods: Sequence[str] = ()) -> "Scenario":
        """The scenario in a mapping with the keys of the YAML file. Raises ScenarioError."""
        tree = document.parse(document.dump(data), "scenario")
        return cls(study.expand_variants(document.with_overrides(tree, ()), "scenario", methods))

    @property
    def name(self) -> str:
        """The name of the scenario."""
        return self.study.scenario.name

    @property
    def variants(self) -> list[str]:
        """The labels of the variants."""
        return list(self.study.variants)


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


@dataclass(frozen=True)
class Results:
    """The results of a run: one outcome per simulation, and every scored model."""

    folder: Path
    outcomes: tuple[Outcome, ...]
    scores: tuple[Score, ...]

    @classmethod
    def read(cls, folder: str | Path) -> "Results":
        """The results in the folder of a run. Raises LedgerError."""
        with Ledger.open(Path(folder) / "ledger.sqlite") as ledger:
            scores = tuple(
                Score(each.method, each.variant, each.seed, *point)
                for each in ledger.emulations()
                for point in points(ledger.rows(each))
            )
            return cls(Path(folder), report.load(ledger).outcomes, scores)


def run(
    scenario: Scenario | str | Path,
    out: str | Path | None = None,
    recordings: str | Path = "runs/recordings",
    workers: int = 1,
    device: str = "auto",
    engine: Engine | None = None,
    on_event: OnEvent = ignore,
) -> Results:
    """Train what is not recorded, simulate, write the reports to `out`; returns the results.

    `out` None is runs/NAME, with -on-NETWORK for each network of the scenario. With more than one
    of `workers`, which are processes, call this under `if __name__ == "__main__":`; an `engine`
    replaces them. `on_event` is called with each event of `emulator.runner.events`. Raises
    EmulationError if a method failed, and the errors of `Scenario.read`.
    """
    found = scenario if isinstance(scenario, Scenario) else Scenario.read(scenario)
    folder = Path(out) if out else Path("runs") / running.folder_name(found.study, found.networks)
    options = Options(Path(recordings), device)
    chosen = engine or Local(workers)
    outcome = running.run(found.study, folder, options, engine=chosen, on_event=on_event)
    if outcome.failures:
        index, error = outcome.failures[0]
        training = found.study.trainings()[index]
        failed = f"{training.method}, seed {training.seed}: {error.message}"
        raise EmulationError(f"not finished: {failed}", error.hint)
    return Results.read(folder)


def compare(
    *runs: Results | str | Path,
    baseline: str | None = None,
    target: float | None = None,
    force: bool = False,
) -> Comparison:
    """Compare runs: docs/howto/compare_runs.md. Raises LedgerError and ScenarioError."""
    folders = [each.folder if isinstance(each, Results) else Path(each) for each in runs]
    return comparison.compare(folders, baseline, target, force)
