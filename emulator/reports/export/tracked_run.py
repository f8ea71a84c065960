"""One simulation as an experiment tracker shows it: settings, labels, results, a point per round.

Trackers draw any value of a point against any other one, so each point has all axes: simulated
seconds, and bytes down, up and in total until then.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic_core import from_json

from emulator.reports.export.scalars import scalars
from emulator.reports.run_report import printable
from emulator.results.metadata import ACCURACY, RunMetadata
from emulator.results.metrics import outcome
from emulator.simulation.records import Emulation, Row

SECONDS, BYTES = "simulated_seconds", "bytes/total"
WAYS = ("bytes/down", "bytes/up")
RESULTS = (
    "time_to_target_s", "rounds_to_target", "bytes_down_to_target", "bytes_up_to_target",
    "final_accuracy", "test_accuracy", "duration_s", "bytes_down", "bytes_up",
)  # fmt: skip


class Point(NamedTuple):
    """The values after a round by name; round 0 is the initial model. `time_s` is simulated."""

    round: int
    time_s: float
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Origin:
    """The settings of one simulation as plain data, and the id of the recording that it replays.

    For a message log, the id is the digest of the log.
    """

    settings: Mapping[str, Any]
    recording: str


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """One simulation; `experiment` is the scenario's name, `source` the name of the run's folder.

    `results` has no entry for a target that was not reached or a value that was not measured.
    """

    experiment: str
    source: str
    emulation: Emulation
    points: Sequence[Point]
    results: Mapping[str, float]
    settings: Mapping[str, Any]
    labels: Mapping[str, str]

    @property
    def title(self) -> str:
        """Its method, variant, draw of the fleet and seed."""
        return self.emulation.title

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.emulation.seed


def identity(run: TrackedRun) -> dict[str, str | int]:
    """Return method, variant and seed by name, and the draw of the fleet if it has its own seed."""
    return _identity(run.emulation)


def _identity(emulation: Emulation) -> dict[str, str | int]:
    return {name: value for name, value in emulation._asdict().items() if value is not None}


def tracked(
    emulation: Emulation,
    rows: Iterable[Row],
    meta: RunMetadata,
    source: str,
    origin: Origin | None = None,
) -> TrackedRun:
    """Return the simulation with the metadata of its ledger. Raises LedgerError.

    Without `origin`, there are neither settings nor the id of a recording.
    """
    rows, method, variant = list(rows), printable(emulation.method), printable(emulation.variant)
    found = outcome(emulation, rows, meta.goal, metric=meta.metric_measure)
    given = {name: getattr(found, name) for name in RESULTS}
    shown = emulation._replace(method=method, variant=variant)
    labels = {name: str(value) for name, value in _identity(shown).items()} | {"source": source}
    if origin:
        labels["recording"] = origin.recording
    return TrackedRun(
        experiment=printable(meta.name) or "unnamed",
        source=source,
        emulation=shown,
        points=tuple(points(rows, printable(meta.metric))),
        results={name: value for name, value in given.items() if value is not None},
        settings=origin.settings if origin else {},
        labels=labels | {f"provenance.{name}": of for name, of in provenance(meta).items()},
    )


def points(rows: Iterable[Row], metric: str = ACCURACY) -> Iterator[Point]:
    """Yield a point per round that was simulated or evaluated, in their order."""
    rounds: dict[int, dict[str, float]] = {}
    times_s: dict[int, float] = {}
    for tag, number, time_s, value in scalars(rows, metric):
        rounds.setdefault(number, {})[tag] = value
        times_s[number] = max(time_s, times_s.get(number, 0.0))
    spent = dict.fromkeys(WAYS, 0.0)
    for number in sorted(rounds):
        spent = {way: rounds[number].get(way, before) for way, before in spent.items()}
        axes = {SECONDS: times_s[number], BYTES: sum(spent.values())}
        yield Point(number, times_s[number], rounds[number] | spent | axes)


def provenance(meta: RunMetadata) -> dict[str, str]:
    """Return what a run was made with, by name: flasc-emu, torch, the device and so on."""
    try:
        found = from_json(meta.provenance or "{}")
        return {printable(str(name)): printable(str(value)) for name, value in found.items()}
    except (ValueError, AttributeError):
        return {}
