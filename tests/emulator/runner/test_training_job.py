"""What a training reports of its rounds, its scores and its recording while it runs."""

import pickle
from pathlib import Path

import pytest

from emulator.runner import inputs, training_job
from emulator.runner.events import Note, TrainingProgress
from emulator.runner.executors import Local, Options
from emulator.runner.training_job import ProgressReporter
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import Computation, Evaluation, Round, Row, Transfer


def test_a_score_keeps_the_round_that_it_is_of():
    """Scores as in a ledger: 0.03, 0.02 and 0.03 after rounds 1 to 3; each round ends first."""
    told: list[TrainingProgress] = []
    report = ProgressReporter(TrainingProgress(0, "fast", rounds=3), told.append, lambda: 0)
    rows: list[Row] = []
    for number, accuracy in ((1, 0.03), (2, 0.02), (3, 0.03)):
        rows += [
            Round(number, 4, number - 1.0, float(number)),
            Evaluation(number, float(number), "validation", 800, accuracy, 2.0),
        ]
    for row in rows:
        report(row)
    found = [(each.round, each.split, each.accuracy, each.scored_round) for each in told]
    assert found == [
        (1, "", None, None), (1, "validation", 0.03, 1),
        (2, "", 0.03, 1), (2, "validation", 0.02, 2),
        (3, "", 0.02, 2), (3, "validation", 0.03, 3),
    ]  # fmt: skip


def test_a_score_on_test_is_told_once():
    told: list[TrainingProgress] = []
    report = ProgressReporter(TrainingProgress(0, "fast"), told.append, lambda: 0)
    report(Evaluation(1, 1.0, "validation", 800, 0.3, 2.0))
    report(Evaluation(1, 1.0, "test", 800, 0.2, 2.0))
    report(Round(2, 4, 1.0, 2.0))
    assert [(each.split, each.accuracy) for each in told] == [
        ("validation", 0.3), ("test", 0.2), ("", 0.3)
    ]  # fmt: skip


def test_the_bytes_of_a_block_of_rows_count():
    told: list[TrainingProgress] = []
    report = ProgressReporter(TrainingProgress(0, "fast"), told.append, lambda: 0)
    report(Transfer(1, 0, "down", 7, 0.0, 1.0))
    sent = [Transfer(1, 1, "down", 5, 0.0, 1.0), Computation(1, 1, 9, 1, 1.0, 1.0)]
    report(EventTable.of([*sent, Transfer(1, 1, "up", 3, 1.0, 2.0)]))
    assert told == []
    report(Round(1, 2, 0.0, 2.0))
    assert [(each.bytes_down, each.bytes_up) for each in told] == [(12, 3)]


@pytest.fixture
def train_with(scenario, toys, tmp_path, monkeypatch):
    """Trains LoRA with a version of torch; gives the rounds that were trained, and the notes."""
    make = training_job._real_trainer

    def trained(torch: str, rounds: int, store: Path = tmp_path) -> tuple[int, list[Note]]:
        def real_trainer(*args):
            return make(*args)[0], {"device": "cpu", "torch": torch}

        monkeypatch.setattr(training_job, "_real_trainer", real_trainer)
        study = inputs.read(scenario(), [f"training.rounds={rounds}"], ["LoRA"])
        heard = []
        [(_, result)] = Local(1).run_all(study.trainings(), Options(store), heard.append)
        return result.trained_rounds, [each for each in heard if isinstance(each, Note)]

    return trained


def test_training_on_with_other_versions_is_told_once(train_with, tmp_path):
    """The toy's messages have one size in all versions, as dense messages have."""
    assert train_with("2.12.0", 2) == (2, [])
    trained, notes = train_with("2.13.0", 4)
    assert trained == 2
    assert [note.training for note in notes] == [None]  # it stays on the screen
    assert notes[0].text.startswith(
        "LoRA, seed 0: the recording was made with torch 2.12.0 (now 2.13.0). "
    )
    assert "--recordings" in notes[0].text


def test_nothing_is_told_of_the_same_versions_or_of_a_replay(train_with, tmp_path):
    assert train_with("2.12.0", 2) == (2, [])
    assert train_with("2.12.0", 3) == (1, [])
    assert train_with("2.13.0", 3) == (0, [])
    assert train_with("2.13.0", 3, tmp_path / "other") == (3, [])


def test_another_process_reads_its_recordings_itself(tmp_path):
    options = Options(tmp_path, packed=tmp_path / "a.json.gz", opened={"id": object()})
    sent = pickle.loads(pickle.dumps(options))
    assert sent == options
    assert (options.opened.keys(), sent.opened) == ({"id"}, {})
