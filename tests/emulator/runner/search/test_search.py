"""Searches with trainings by formula, and over real recorded trainings."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from emulator.common.errors import EmulationError
from emulator.results.ledger import Ledger
from emulator.results.metrics import outcome
from emulator.runner import inputs, run
from emulator.runner.compare import compare
from emulator.runner.executors import Local, Options
from emulator.runner.export_recording import packed_recording
from emulator.runner.search import Axes, lattice, read_space, search, summary
from emulator.simulation.target import Goal

ROOT = Path(__file__).parents[4]
FIGURE3 = ROOT / "recordings/figure3.json.gz"
LEO = ROOT / "scenarios/networks/leo.yaml"
ROUNDS = ("training.rounds=40", "training.target={accuracy: 0.5, stop_after: 1}")
AXES = Axes((16,), (1.0, 0.25, 0.0625), (0.25, 0.0625, 0.015625))
HERE = Local(1)


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    """Reports take seconds, and are tested elsewhere."""
    monkeypatch.setattr(run, "write_report", lambda *_: None)


@pytest.fixture
def searched(scenario, sparse_toys, tmp_path):
    """Search with toys; the results are in the folder `found`."""

    def searching(*changes, axes=AXES, variant="slow", **more):
        space = read_space(inputs.read(scenario(), [*ROUNDS, *changes]), "FLASC", variant, axes)
        options = Options(tmp_path / "recordings")
        return search(space, tmp_path / "found", options, engine=HERE, **more)

    return searching


def times(folder, target=0.5):
    """{method: [seconds to the target]} of the ledger in a folder, by seed."""
    found = {}
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        for each in ledger.emulations():
            measured = outcome(each, ledger.rows(each), Goal(target))
            found.setdefault(each.method, []).append(measured.time_to_target_s)
    return found


@pytest.fixture
def grid(scenario, sparse_toys, tmp_path):
    """Times of all configurations of the lattice, by a run of all: {method: seconds}."""

    def whole(variant):
        space = read_space(inputs.read(scenario(), ROUNDS), "FLASC", variant, AXES)
        store = Options(tmp_path / "grid recordings")
        run.run(space.study_of(list(space.names)), tmp_path / "grid", store, engine=HERE)
        return {name: found[0] for name, found in times(tmp_path / "grid").items()}

    return whole


@pytest.mark.parametrize("variant", ["fast", "slow"])
def test_it_ends_where_no_neighbour_is_faster_in_the_whole_grid(searched, grid, variant):
    found = searched(variant=variant, most=9)
    whole, names = grid(variant), found.space.names
    near = [names[move.to] for move in lattice.moves(found.best.point, names)]
    assert not found.ended_by_limit
    assert any(step.moved for step in found.steps) == (variant == "slow")
    assert any("where no neighbour is better" in each for each in summary.sentences(found))
    assert all(whole[found.best.name] < whole[name] for name in near)


def test_each_configuration_is_trained_once_and_at_most_half_of_them(searched, sparse_toys):
    found = searched()
    assert len(sparse_toys) == len(set(sparse_toys)) == len(found.trials) == 4
    assert {tuple(each.point) for each in found.trials} == {made[:3] for made in sparse_toys}


def test_running_again_trains_nothing_and_takes_the_same_path(searched, sparse_toys, tmp_path):
    first = searched()
    rows = times(tmp_path / "found")
    before = len(sparse_toys)
    again = searched()
    assert len(sparse_toys) == before
    assert {each.source for each in first.trials} == {"trained"}
    assert {each.source for each in again.trials} == {"replayed"}
    assert [(s.here.name, s.to.name, s.moved) for s in again.steps] == [
        (s.here.name, s.to.name, s.moved) for s in first.steps
    ]
    assert times(tmp_path / "found") == rows


def test_an_interrupted_search_resumes(searched, sparse_toys, tmp_path, monkeypatch):
    """It is cut off in the middle of the second training."""
    whole = searched()
    monkeypatch.setattr(
        "emulator.runner.recording.identity.FORMAT", 99
    )  # nothing of this is known to the next ones
    sparse_toys.clear()

    def interrupt(event):
        if len(sparse_toys) == 2 and getattr(event, "trained", 0) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(watch=lambda _: nullcontext(interrupt))
    resumed = searched()
    assert resumed.best == whole.best or resumed.best.outcomes == whole.best.outcomes
    assert [s.to.outcomes for s in resumed.steps] == [s.to.outcomes for s in whole.steps]
    rounds = [each.trained_rounds for each in whole.trials]
    assert [each.trained_rounds for each in resumed.trials] == [0, rounds[1] - 3, *rounds[2:]]


def test_what_can_no_longer_win_is_given_up_and_the_reports_say_so(searched, tmp_path):
    found = searched(variant="fast", most=9)
    given_up = [each for each in found.trials if each.given_up]
    best_s = found.best.times_s[0]
    assert given_up
    for each in given_up:
        (seed,) = each.outcomes
        assert seed.time_to_target_s is None
        assert seed.duration_s > best_s
        assert seed.rounds < 40
    compared = compare([tmp_path / "found"])
    (note,) = compared.incomplete
    assert f"{given_up[0].name}" in note
    assert "given up after" in note


def test_a_target_that_is_not_reached_makes_accuracy_decide(searched):
    found = searched("training.target=90%", "training.rounds=6")
    assert all(step.by == "accuracy" for step in found.steps)
    assert not found.best.times_s
    assert found.best.quality == max(each.quality for each in found.trials)
    assert found.best.quality > found.trials[0].quality
    (first, *_) = summary.sentences(found)
    assert first.startswith("No configuration that was tried reached accuracy 0.90 under the")
    assert first.endswith(f"{found.best.name} came nearest, with {found.best.quality:.3f}.")


def test_a_loss_that_is_not_reached_makes_the_last_loss_decide(searched):
    found = searched("training.target={loss: 0.001}", "training.rounds=6")
    assert all(step.by == "loss" for step in found.steps)
    assert found.best.quality == min(each.outcomes[0].final_loss for each in found.trials)
    assert found.best.quality < found.trials[0].quality
    assert "reached loss 0.001 under" in summary.sentences(found)[0]


def test_a_configuration_that_fails_loses_and_is_named(searched, tmp_path):
    found = searched(axes=Axes((16, 64), (0.25,), (0.25,)))
    (step,) = found.steps
    assert (step.moved, found.best.name) == (False, "FLASC")
    assert "diverged" in step.to.problem
    assert summary.row(step.to)[0] == "failed"
    assert any(f"Failed: {step.to.name}." in each for each in summary.sentences(found))
    assert list(times(tmp_path / "found")) == ["FLASC"]


def test_a_start_that_fails_ends_the_search(searched):
    with pytest.raises(EmulationError, match=r"not finished: FLASC: .*diverged"):
        searched("methods.FLASC.rank=64", axes=Axes((16, 64), (0.25,), (0.25,)))


def test_several_seeds_are_summed(searched, sparse_toys):
    found = searched("training.seeds=[0, 1]", axes=Axes((16,), (0.25,), (0.25, 0.0625)))
    assert len(sparse_toys) == 4
    for trial in found.trials:
        assert [o.seed for o in trial.outcomes] == [0, 1]
        assert trial.given_up or trial.score(2) == (0, sum(trial.times_s), 0)


def test_it_writes_its_path_and_a_scenario_that_needs_no_training(searched, tmp_path, scenario):
    found = searched()
    folder = tmp_path / "found"
    said = json.loads((folder / "search.json").read_text("utf-8"))
    assert said["start"]["method"] == "FLASC"
    assert said["recommended"] == found.best.name
    assert [(s["from"]["method"], s["to"]["method"]) for s in said["steps"]] == [
        (s.here.name, s.to.name) for s in found.steps
    ]
    for step, told in zip(found.steps, said["steps"], strict=True):
        assert told["winner"] == told["to" if step.moved else "from"]["method"]
    measured = times(folder)
    for told in (said["start"], *(step["to"] for step in said["steps"])):
        assert [seed["time_to_target_s"] for seed in told["seeds"]] == measured[told["method"]]
    again = inputs.read(folder / "recommended.yaml")
    assert again.methods == [found.best.name]
    outcome_ = run.run(
        again, tmp_path / "again", Options(tmp_path / "recordings", train=False), engine=HERE
    )
    assert outcome_.failure is None
    assert times(tmp_path / "again") == {found.best.name: measured[found.best.name]}


def test_dense_lora_is_compared_if_it_is_recorded_and_never_trained(
    searched, sparse_toys, scenario, tmp_path, toys
):
    assert searched().dense is None
    study = inputs.read(scenario(), ROUNDS, ["LoRA"])
    run.run(study, tmp_path / "lora", Options(tmp_path / "recordings"), engine=HERE)
    made = len(toys)
    dense = searched().dense
    assert len(toys) == made
    assert dense.times_s == [times(tmp_path / "lora")["LoRA"][1]]
    assert next(iter(times(tmp_path / "found"))) == "LoRA"


def test_a_packed_recording_is_searched_without_training(searched, sparse_toys, grid, tmp_path):
    grid("slow")
    study = inputs.read(tmp_path / "grid")
    packed = tmp_path / "grid.json.gz"
    store = tmp_path / "grid recordings"
    packed.write_bytes(packed_recording({"": study}, {"": store}).content)
    made = len(sparse_toys)
    space = read_space(inputs.read(packed), "FLASC", None, Axes())
    assert len(space.names) == 9
    found = search(space, tmp_path / "replayed", Options(store), engine=HERE)
    trained = searched()
    assert len(sparse_toys) == made + len(trained.trials)
    assert [(s.to.name, s.to.outcomes, s.moved) for s in found.steps] == [
        (s.to.name, s.to.outcomes, s.moved) for s in trained.steps
    ]
    assert run.run(
        inputs.read(tmp_path / "replayed"), tmp_path / "rerun", Options(store), engine=HERE
    ).reused_rounds


@pytest.mark.parametrize("start", ["1/4", "1/64"])
@pytest.mark.parametrize("variant", ["16x slower", "leo"])
def test_over_real_recorded_trainings(tmp_path, variant, start):
    """Of three densities of uploads it finds one that its neighbours do not beat."""
    names = [f"FLASC 1/4 down, {up} up" for up in ("1/4", "1/16", "1/64")]
    networks = [LEO] if variant == "leo" else []
    study = inputs.read(FIGURE3, ["training.seeds=[0]"], networks=networks)
    space = read_space(study, f"FLASC 1/4 down, {start} up", variant, Axes())
    found = search(space, tmp_path / "found", Options(tmp_path / "none"), engine=HERE)
    only = inputs.read(FIGURE3, ["training.seeds=[0]"], names, networks)
    run.run(only, tmp_path / "all", Options(tmp_path / "none"), engine=HERE)
    whole = {}
    with Ledger.open(tmp_path / "all/ledger.sqlite") as ledger:
        for each in ledger.emulations():
            if each.variant == variant:
                whole[each.method] = outcome(each, ledger.rows(each), Goal(0.5)).time_to_target_s
    at = names.index(found.best.name)
    assert found.best.times_s == [whole[found.best.name]]
    assert all(whole[found.best.name] <= whole[near] for near in names[max(at - 1, 0) : at + 2])
    assert whole[found.best.name] <= whole[f"FLASC 1/4 down, {start} up"]
    assert found.dense.name == "LoRA"


def test_a_target_beyond_a_recording_is_an_error(tmp_path):
    study = inputs.read(FIGURE3, ["training.target.accuracy=90%", "training.seeds=[0]"])
    space = read_space(study, "FLASC 1/4 down, 1/4 up", "as fast", Axes())
    with pytest.raises(EmulationError, match=r"best 0\.525 \(FLASC 1/4 down, 1/4 up\)"):
        search(space, tmp_path / "found", Options(tmp_path / "none"), engine=HERE)
