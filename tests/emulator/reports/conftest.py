"""Studies of small runs whose every number is known."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.reports.run_report import Study, load
from emulator.results.ledger import Ledger
from emulator.results.metadata import Setting
from emulator.scenario.scenario import Scenario
from emulator.simulation.records import Emulation
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer
from flasc.common.messages import Score, TrainingMetadata

Write = Callable[..., Path]


@pytest.fixture
def study_of(write_run: Write) -> Callable[..., Study]:
    """The same, loaded."""

    def study(*args: object, **options: object) -> Study:
        with Ledger.open(write_run(*args, **options)) as ledger:
            return load(ledger)

    return study


@pytest.fixture
def sweep_of(study_of: Callable[..., Study]) -> Callable[..., Study]:
    """A study over 1, 2, 4 and 8 Mbps with {method: a time per value and seed}."""

    def make(seconds: dict[str, list[list[float | None]]]) -> Study:
        count = len(next(iter(seconds.values()))[0])
        labels = [f"up {mbps} Mbps" for mbps in (1, 2, 4, 8)]
        found = study_of(dict.fromkeys(seconds, 0.1), dict.fromkeys(labels, 1), seeds=range(count))
        outcomes = tuple(
            dataclasses.replace(
                each,
                time_to_target_s=seconds[each.method][labels.index(each.variant)][each.seed],
                target_resolution_s=None,
            )
            for each in found.outcomes
        )
        swept = {
            label: (Setting("network.clients.up", mbps * 1e6, "bit/s", label),)
            for label, mbps in zip(labels, (1, 2, 4, 8), strict=True)
        }
        return dataclasses.replace(found, outcomes=outcomes, swept=swept)

    return make


class Schooled(StubTrainer):
    """Two labels, of which it learns the first; clients hold one or the other."""

    def evaluate(self, split: str) -> Score:
        right = min(10, self.version * (4 if self.heard_late else 2))
        return Score(20, right / 20, 1.0, ((right, 10), (0, 10)))

    def aggregate(self, uploads: Any, weights: Any) -> None:
        self.heard_late = len(uploads) < 6
        super().aggregate(uploads, weights)

    def metadata(self, require_flops: bool = False) -> TrainingMetadata:
        return TrainingMetadata([4] * 20, 1e9, [[4, 0], [0, 4]] * 10)


@pytest.fixture
def deadline_run(tmp_path: Path) -> Path:
    """The ledger of two policies over slow phones and quick homes, emulated."""
    link = {"down": "80 Mbps", "up": "80 Mbps"}
    with Ledger.create(tmp_path / "ledger.sqlite", {"name": "late", "target": "0.1"}) as ledger:
        for variant, policy in {
            "wait": "synchronous",
            "2 s": {"kind": "deadline", "deadline": "2 s"},
        }.items():
            scenario = Scenario.model_validate(
                {
                    "name": "late",
                    "task": {"name": "20newsgroups", "clients": 20},
                    "training": {"rounds": 4, "cohort": 6},
                    "methods": {"LoRA": {"kind": "lora"}},
                    "network": {
                        "server": link,
                        "groups": {
                            "home": {"share": 1, **link},
                            "phone": {"share": 1, "down": "8 Mbps", "up": "0.1 Mbps"},
                        },
                    },
                    "compute": {"speed": "10 GFLOP/s", "utilisation": "100 %"},
                    "policy": policy,
                }
            )
            trainer = Schooled(down_bytes=100_000, up_bytes=50_000, examples=4)
            ledger.write(Emulation("LoRA", variant, 0), simulate(scenario, 0, trainer))
        return ledger.path
