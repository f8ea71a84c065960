"""A search over a recorded grid of real trainings, which it knows only as far as it asks."""

import itertools
from functools import cache
from pathlib import Path

import pytest

from emulator.results.ledger import Ledger
from emulator.results.metrics import outcome
from emulator.runner import inputs, run
from emulator.runner.executors import Local, Options
from emulator.runner.search import Axes, read_space, search

ROOT = Path(__file__).parents[4]
SCENARIO = ROOT / "scenarios/paper/search_grid.yaml"
GRID = ROOT / "recordings/search_grid.json.gz"
SEEDS = ROOT / "recordings/figure3.json.gz"  # three seeds of three configurations of the grid
NETWORKS = ("as fast", "16x slower")
STARTS = ("FLASC 1/4 down, 1/4 up", "FLASC 1/4 down, 1/16 up")
recorded = pytest.mark.skipif(not GRID.exists(), reason=f"{GRID.name} is not recorded yet")


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    """Reports take seconds, and are tested elsewhere."""
    monkeypatch.setattr(run, "write_report", lambda *_: None)


@pytest.fixture(scope="module")
def times_of(tmp_path_factory):
    """{(variant, method): seconds to the target by seed} of the FLASC methods of a recording."""

    @cache
    def measured(path):
        methods = [m for m in inputs.read(path).methods if m.startswith("FLASC")]
        study = inputs.read(path, only=methods)
        goal = study.scenario.training.goal
        folder = tmp_path_factory.mktemp("run")
        run.run(study, folder, Options(folder / "none"), engine=Local(1))
        found = {}
        with Ledger.open(folder / "ledger.sqlite") as ledger:
            for each in ledger.emulations():
                rows = ledger.rows(each)
                time_s = outcome(each, rows, goal).time_to_target_s
                found.setdefault((each.variant, each.method), []).append(time_s)
        return found

    return measured


def test_the_scenario_is_the_grid():
    study = inputs.read(SCENARIO)
    assert study.scenario.training.seeds == [0]
    densities = [(m.down, m.up) for m in study.scenario.methods.values()]
    ways = (1, 1 / 4, 1 / 16), (1 / 4, 1 / 16, 1 / 64)
    assert sorted(densities) == sorted(itertools.product(*ways))
    space = read_space(study, STARTS[0], NETWORKS[0], Axes((), *ways))
    assert set(space.names.values()) == set(study.methods)
    assert {job.settings.lora.rank for job in study.trainings()} == {16}


@recorded
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("variant", NETWORKS)
def test_half_of_the_trainings_end_within_the_spread_of_the_best(
    tmp_path, times_of, variant, start
):
    """The spread is the largest ratio of two seeds' times of one configuration."""
    seeds = [times for (label, _), times in times_of(SEEDS).items() if label == variant]
    spread = max(max(times) / min(times) for times in seeds)
    whole = {m: times[0] for (label, m), times in times_of(GRID).items() if label == variant}
    assert len(whole) == 9
    space = read_space(inputs.read(GRID), start, variant, Axes())
    found = search(space, tmp_path / "found", Options(tmp_path / "none"), engine=Local(1))
    best_s = min(time_s for time_s in whole.values() if time_s is not None)
    assert len(found.trials) <= 4
    assert whole[found.best.name] <= spread * best_s
