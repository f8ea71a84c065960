"""A small run whose every number is known: one client a round, whole seconds, straight curves."""

import json
import runpy
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.ledger import Ledger
from emulator.records import Computation, Emulation, Evaluation, Round, Row, Transfer
from emulator.report.study import Study, load

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

    `meta` replaces what the run is told; None leaves it out.
    """

    def write(
        methods: dict[str, float],
        variants: dict[str, int],
        /,
        seeds: Iterable[int] = (0,),
        absent: Iterable[Emulation] = (),
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
                            ledger.write(emulation, rows(gain, upload_s, seed))
            return ledger.path

    return write


@pytest.fixture
def study_of(write_run: Write) -> Callable[..., Study]:
    """The same, loaded."""

    def study(*args: object, **options: object) -> Study:
        with Ledger.open(write_run(*args, **options)) as ledger:
            return load(ledger)

    return study


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium, as in browser.py; skips where there is none."""
    module = runpy.run_path(str(Path(__file__).with_name("browser.py")))
    if not module["FOUND"]:
        pytest.skip("no chromium, google-chrome or chrome on PATH")
    one = module["Browser"](tmp_path_factory.mktemp("profile"))
    yield one
    one.close()
