"""flasc-emu from Python: read a scenario, run it, compare runs. `from emulator import ...`.

Results are frozen rows, one a fact, and `frame(rows)` makes a data frame of any.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.common.errors import EmulationError
from emulator.reports import run_report as report
from emulator.results.comparison import Comparison, Contrast, FrontPoint
from emulator.results.dataframe import frame
from emulator.results.ledger import Ledger
from emulator.results.metrics import Outcome, points
from emulator.runner import compare as comparison
from emulator.runner import inputs
from emulator.runner import run as running
from emulator.runner.executors import Engine, Local, Options
from emulator.scenario import document, study

__all__ = [
    "Comparison",
    "Contrast",
    "FrontPoint",
    "Outcome",
    "Results",
    "Scenario",
    "Score",
    "compare",
    "frame",
    "run",
]


@dataclass(frozen=True)
class Scenario:
    """A scenario with all its variants, checked. `study` has each of them as typed settings."""

    study: study.Study
    networks: tuple[Path, ...] = ()  # whose names its folder of results has

    @classmethod
    def read(
        cls,
        path: str | Path,
        changes: Mapping[str, object] | None = None,
        methods: Sequence[str] = (),
        networks: Sequence[str | Path] = (),
    ) -> "Scenario":
        """The scenario in a file, or of a run's folder or a packed recording.

        `changes` are values by dotted path, None to delete; `methods` only some of them; `networks`
        files that take the place of its network, a variant each. Raises ScenarioError, LedgerError
        and RecordingError.
        """
        overrides = [f"{key}={_as_yaml(value)}" for key, value in (changes or {}).items()]
        files = tuple(Path(each) for each in networks)
        return cls(inputs.read(Path(path), overrides, methods, files), files)

    @classmethod
    def of(cls, data: Mapping[str, Any], methods: Sequence[str] = ()) -> "Scenario":
        """The scenario that a mapping describes, as its YAML would. Raises ScenarioError."""
        tree = document.parse(document.dump(data), "scenario")
        return cls(study.expand_variants(document.with_overrides(tree, ()), "scenario", methods))

    @property
    def name(self) -> str:
        """Its name."""
        return self.study.scenario.name

    @property
    def variants(self) -> list[str]:
        """The labels of its variants."""
        return list(self.study.variants)


def _as_yaml(value: object) -> str:
    """In ASCII: JSON's own would be two halves of a character, which no YAML text may hold."""
    return json.dumps(value, ensure_ascii=False).encode("ascii", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class Score:
    """A model that was scored on validation: simulated seconds and bytes until then."""

    method: str
    variant: str
    seed: int
    round: int
    time_s: float
    nbytes: int
    accuracy: float


@dataclass(frozen=True)
class Results:
    """What a run came to: an outcome an emulation, and every scored model."""

    folder: Path
    outcomes: tuple[Outcome, ...]
    scores: tuple[Score, ...]

    @classmethod
    def read(cls, folder: str | Path) -> "Results":
        """The results in a run's folder. Raises LedgerError."""
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
) -> Results:
    """Train what is not recorded, time it, write the reports into `out`, read them.

    `out` is runs/NAME where none is given, and -on-NETWORK of each network that was.

    More than one of `workers` are processes of their own: call it under
    `if __name__ == "__main__":` then. An `engine` takes their place. Raises EmulationError where a
    method failed, and what reading a scenario raises.
    """
    found = scenario if isinstance(scenario, Scenario) else Scenario.read(scenario)
    folder = Path(out) if out else Path("runs") / running.folder_name(found.study, found.networks)
    options = Options(Path(recordings), device)
    outcome = running.run(found.study, folder, options, engine=engine or Local(workers))
    if outcome.failures:
        index, error = outcome.failures[0]
        training = found.study.trainings()[index]
        said = f"{training.method}, seed {training.seed}: {error.message}"
        raise EmulationError(f"not finished: {said}", error.hint)
    return Results.read(folder)


def compare(
    *runs: Results | str | Path,
    baseline: str | None = None,
    target: float | None = None,
    force: bool = False,
) -> Comparison:
    """Runs against each other: docs/howto/compare_runs.md. Raises LedgerError and ScenarioError."""
    folders = [each.folder if isinstance(each, Results) else Path(each) for each in runs]
    return comparison.compare(folders, baseline, target, force)
