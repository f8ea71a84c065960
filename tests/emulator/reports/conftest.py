"""A small run whose every number is known: one client a round, whole seconds, straight curves."""

import json
import runpy
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from emulator.reports.run_report import Study, load
from emulator.results.ledger import Ledger
from emulator.scenario.scenario import Scenario
from emulator.simulation.records import Computation, Emulation, Evaluation, Round, Row, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer
from flasc.common.messages import Score, TrainingMetadata

ROUNDS = 10


def rows(gain: float, upload_s: int, seed: int) -> Iterable[Row]:
    """A round is 2 s down, 1 s of compute and `upload_s` up; accuracy k * gain after k rounds.

    Every seed after the first takes 1 s more to compute.
    """
    length_s = 3 + seed + upload_s
    yield Evaluation(0, 0.0, "validation", 1000, 0.0, 3.0)
    for k in range(1, ROUNDS + 1):
        end_s = float(k * length_s)
        start_s = end_s - length_s
        yield Transfer(k, 5, "down", 4000, start_s, start_s + 2)
        yield Computation(k, 5, 32, 2, start_s + 2, start_s + 3 + seed)
        yield Transfer(k, 5, "up", 1000, start_s + 3 + seed, end_s)
        yield Round(k, 1, start_s, end_s)
        yield Evaluation(k, end_s, "validation", 1000, k * gain, 3.0 - k * gain)
    yield Evaluation(ROUNDS, end_s, "test", 2000, k * gain - 0.01, 3.0)


Write = Callable[..., Path]


@pytest.fixture
def write_run(tmp_path: Path) -> Write:
    """Write a ledger: methods by their gain a round, variants by their upload seconds.

    `factors` of variants change the gain; `meta` replaces what the run is told, None leaves it out.
    """

    def write(
        methods: dict[str, float],
        variants: dict[str, int],
        /,
        seeds: Iterable[int] = (0,),
        absent: Iterable[Emulation] = (),
        factors: Mapping[str, float] | None = None,
        **meta: str | None,
    ) -> Path:
        told = {
            "name": "slow upload",
            "target": "0.5",
            "split": "validation, first 1000 of 2259 examples",
            "scenario": "name: slow upload\n",
            "provenance": '{"versions": {"flasc-emu": "0.1.0"}}',
            "methods": json.dumps(list(methods)),
            "variants": json.dumps(list(variants)),
        }
        kept = {key: text for key, text in (told | meta).items() if text is not None}
        with Ledger.create(tmp_path / "ledger.sqlite", kept) as ledger:
            for method, gain in methods.items():
                for variant, upload_s in variants.items():
                    for seed in seeds:
                        emulation = Emulation(method, variant, seed)
                        if emulation not in absent:
                            its = gain * (factors or {}).get(variant, 1.0)
                            ledger.write(emulation, rows(its, upload_s, seed))
            return ledger.path

    return write


@pytest.fixture
def study_of(write_run: Write) -> Callable[..., Study]:
    """The same, loaded."""

    def study(*args: object, **options: object) -> Study:
        with Ledger.open(write_run(*args, **options)) as ledger:
            return load(ledger)

    return study


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


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium, as in browser.py; skips where there is none."""
    module = runpy.run_path(str(Path(__file__).with_name("browser.py")))
    if not module["FOUND"]:
        pytest.skip("no chromium, google-chrome or chrome on PATH")
    one = module["Browser"](tmp_path_factory.mktemp("profile"))
    yield one
    one.close()
