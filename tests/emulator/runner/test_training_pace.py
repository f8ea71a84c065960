"""The pace of trainings on this machine, and what `check` makes of it."""

import json
from dataclasses import replace

import pytest

from emulator.runner import inputs, training_job, training_pace
from emulator.runner.check import plan
from emulator.runner.executors import Local
from emulator.runner.training_job import Options


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("FLASC_EMU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(training_pace, "NAME", "training_pace.json")
    return tmp_path / "cache"


def settings_of(scenario, *changes):
    return [job.settings for job in inputs.read(scenario(), changes).trainings()]


def test_what_is_stored_is_found_and_scaled(scenario, cache):
    lora, head, _ = settings_of(scenario)
    assert training_pace.stored(lora) is None
    training_pace.store(lora, "cpu", 6.0, 12, None)
    found = training_pace.stored(lora)
    assert found == training_pace.Pace(0.5, lora.task.clients, lora.client.epochs, "cpu")
    assert found.of(lora) == 0.5
    # Half as many clients have twice the examples each; two epochs take twice as long.
    (fewer,) = {s.task.clients: s for s in settings_of(scenario, "task.clients=15")}.values()
    assert found.of(fewer) == 1.0
    longer = settings_of(scenario, "training.client.epochs=2")[0]
    assert found.of(longer) == 1.0
    assert training_pace.stored(settings_of(scenario, "task.tokens=16")[0]) is None
    assert training_pace.stored(head) == found, "better than none"
    training_pace.store(head, "cpu", 1.2, 12, None)
    assert training_pace.stored(head).update_s == pytest.approx(0.1)
    assert training_pace.stored(lora) == found, "the head alone is faster"


def test_the_newest_device_counts(scenario, cache):
    lora = settings_of(scenario)[0]
    for device, wall_s in (("cpu", 6.0), ("H200", 0.6), ("cpu", 3.0)):
        training_pace.store(lora, device, wall_s, 6, None)
    assert training_pace.stored(lora) == replace(training_pace.stored(lora), update_s=0.5)
    assert training_pace.stored(lora).device == "cpu"
    assert len(json.loads((cache / training_pace.NAME).read_text())) == 2


GOOD = {"update_s": 0.5, "clients": 30, "epochs": 1, "device": "cpu"}


@pytest.mark.parametrize(
    "content",
    ["", "[", "[]", "3", "null", "[" * 100_000, "\x00\xff", '{"a": NaN}', '{"KEY": 1}']
    + [json.dumps({"KEY": GOOD | bad}) for bad in (
        {"update_s": -1.0}, {"update_s": "1"}, {"update_s": float("nan")}, {"clients": 0},
        {"epochs": 0}, {"device": "\x1b[31m"}, {"device": None},
    )],
)  # fmt: skip
def test_a_damaged_file_is_no_pace(scenario, cache, content):
    lora = settings_of(scenario)[0]
    training_pace.store(lora, "cpu", 6.0, 12, None)
    path = cache / training_pace.NAME
    (key,) = json.loads(path.read_text())
    path.write_text(content.replace("KEY", key))
    assert training_pace.stored(lora) is None
    training_pace.store(lora, "cpu", 6.0, 12, None)
    assert training_pace.stored(lora) is not None


def test_a_cache_that_cannot_be_written_is_no_error(scenario, cache):
    cache.write_text("a file where the folder should be")
    lora = settings_of(scenario)[0]
    training_pace.store(lora, "cpu", 6.0, 12, None)
    assert training_pace.stored(lora) is None


def test_check_estimates_from_the_last_training(scenario, cache, tmp_path):
    study = inputs.read(scenario(), ["task.tokens=32"])
    lines = list(plan(study, tmp_path / "recordings"))
    assert lines[3].endswith("; how long the rest takes is not known")
    for job in study.trainings():
        training_pace.store(job.settings, "cpu", 6.0, 12, None)
    # 3 trainings of 4 rounds of 3 clients, half a second each
    lines = list(plan(study, tmp_path / "recordings"))
    assert lines[3].endswith(
        "; the rest takes up to about 18.0 s in 1 process (500 ms per update of a client, as in "
        "the last training here, on cpu)"
    )
    lines = list(plan(study, tmp_path / "recordings", workers=2))
    assert "up to about 9.0 s in 2 processes" in lines[3]
    lines = list(plan(study, tmp_path / "recordings", workers=8))
    assert "up to about 6.0 s in 3 processes" in lines[3]


def test_a_training_stores_its_pace_and_a_replay_does_not(
    scenario, toys, cache, tmp_path, monkeypatch
):
    make = training_job._real_trainer
    monkeypatch.setattr(
        training_job, "_real_trainer", lambda *args: (make(*args)[0], {"device": "cpu"})
    )
    study = inputs.read(scenario(), only=["LoRA"])
    (job,) = study.trainings()
    for _ in range(2):
        [*_] = Local(1).run_all([job], Options(tmp_path / "recordings"), lambda _: None)
        assert training_pace.stored(job.settings).device == "cpu"
        stored = (cache / training_pace.NAME).read_text()
    assert (cache / training_pace.NAME).read_text() == stored
    assert len(toys) == 1
