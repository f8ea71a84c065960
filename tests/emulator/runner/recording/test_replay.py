import dataclasses
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from safetensors import SafetensorError

from emulator.common.errors import RecordingError, StorageError
from emulator.runner.recording import Recording, RecordingTrainer

SETTINGS = {"what": "toy", "seed": 0}
SHARED_TMP = [HealthCheck.function_scoped_fixture]


def cohort(number):
    return [(number * 3 + k) % 7 for k in range(3)]


def play(trainer, rounds, first=1):
    """Synchronous rounds; returns everything that a policy gets to know."""
    known = []
    for number in range(first, rounds + 1):
        downloads = [trainer.download(c) for c in cohort(number)]
        uploads = trainer.train(downloads)
        trainer.aggregate(uploads, [1 / 3] * 3)
        score = trainer.evaluate("validation")
        known += [(d.client, d.nbytes) for d in downloads]
        known += [(u.client, u.nbytes, u.examples, u.steps) for u in uploads]
        known.append((score.examples, score.accuracy, score.loss))
    return known


def test_it_answers_as_the_real_trainer_would(bench, toy):
    trainer = bench.open()
    assert play(trainer, 5) == play(toy(), 5)
    assert (trainer.trained, trainer.replayed) == (5, 0)


def test_a_second_time_trains_nothing_and_builds_no_trainer(bench):
    trainer = bench.open()
    first = play(trainer, 5)
    trainer.restart()
    assert play(trainer, 5) == first
    trainer.close()
    again = bench.open()
    assert play(again, 5) == first
    assert (again.trained, again.replayed) == (0, 5)
    assert len(bench.made) == 1


@pytest.mark.parametrize("known", [0, 1, 9, 10, 11, 13])
def test_going_on_equals_never_having_stopped(bench, toy, known):
    trainer = bench.open()
    play(trainer, known)
    trainer.close()
    longer = bench.open()
    assert play(longer, 14) == play(toy(), 14)
    assert longer.trained == 14 - known
    # The newest state was kept: no client of a known round was trained again.
    assert all(version >= known for version, _ in bench.made[-1].trained)


def test_without_the_newest_state_it_starts_from_an_older_one(bench, toy):
    trainer = bench.open()
    play(trainer, 13)
    newest = trainer.state
    trainer.close()
    (bench.folder / "states" / f"{newest}.safetensors").unlink()
    longer = bench.open()
    assert play(longer, 14) == play(toy(), 14)
    assert min(version for version, _ in bench.made[-1].trained) == 10


def test_a_kill_between_training_and_aggregating_costs_that_round_only(bench, toy):
    trainer = bench.open()
    play(trainer, 3)
    trainer.train([trainer.download(c) for c in cohort(4)])
    trainer.close()
    assert play(bench.open(), 5) == play(toy(), 5)
    assert min(version for version, _ in bench.made[-1].trained) == 3


def test_rounds_of_nobody_are_states_of_their_own(bench):
    """Poisson sampling may draw nobody; the server's step, with its noise, is made all the same."""

    def quiet(trainer):
        states = [trainer.state]
        for _ in range(3):
            assert trainer.train([]) == []
            trainer.aggregate([], [])
            states.append(trainer.state)
        return states

    trainer = bench.open()
    states = quiet(trainer)
    assert len(set(states)) == 4
    trainer.close()
    again = bench.open()
    assert quiet(again) == states
    assert (again.trained, again.replayed) == (0, 3)


def test_another_decision_trains_only_what_follows_from_it(bench, toy):
    def drop_one_in_round_3(trainer):
        play(trainer, 2)
        uploads = trainer.train([trainer.download(c) for c in cohort(3)])
        trainer.aggregate(uploads[:2], [0.5, 0.5])
        return play(trainer, 5, first=4)

    trainer = bench.open()
    play(trainer, 5)
    trainer.restart()
    assert drop_one_in_round_3(trainer) == drop_one_in_round_3(toy())
    assert trainer.trained == 5 + 3
    trainer.close()
    replay = bench.open()
    drop_one_in_round_3(replay)
    assert replay.trained == 0


def test_stale_updates_are_merged_as_the_real_trainer_would(bench, toy):
    def stale(trainer):
        late = trainer.download(5)
        play(trainer, 2)
        uploads = trainer.train([trainer.download(1), late])
        trainer.aggregate(uploads, [0.7, 0.3])
        return [u.nbytes for u in uploads] + play(trainer, 4, first=4)

    trainer = bench.open()
    assert stale(trainer) == stale(toy())
    trainer.close()
    again = bench.open()
    assert stale(again) == stale(toy())
    assert again.trained == 0


def test_stale_updates_survive_a_kill(bench, toy):
    def until_trained(trainer):
        late = trainer.download(5)
        play(trainer, 2)
        return trainer.train([trainer.download(1), late])

    trainer = bench.open()
    until_trained(trainer)
    trainer.close()
    resumed, real = bench.open(), toy()
    for t in (resumed, real):
        t.aggregate(until_trained(t), [0.7, 0.3])
    assert resumed.evaluate("validation").loss == real.evaluate("validation").loss


@settings(max_examples=40, deadline=None, suppress_health_check=SHARED_TMP)
@given(data=st.data())
def test_interrupted_anywhere_it_equals_an_unbroken_run(tmp_path_factory, toy, data):
    """Any sequence of cohorts, broken off and torn anywhere in the log, then run again."""
    store = tmp_path_factory.mktemp("recordings")
    plan = data.draw(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
                              min_size=1, max_size=13))  # fmt: skip

    def run(trainer, rounds):
        for clients in rounds:
            uploads = trainer.train([trainer.download(c) for c in clients])
            trainer.aggregate(uploads, [1.0] * len(uploads))
        return trainer.evaluate("test").loss

    def opened():
        return RecordingTrainer(Recording(store, {"a": 1}), lambda: (toy(), {}))

    broken = opened()
    run(broken, plan[: data.draw(st.integers(0, len(plan)))])
    broken.close()
    log = broken.recording.folder / "log.jsonl"
    content = log.read_bytes()
    log.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    again = opened()
    assert run(again, plan) == run(toy(), plan)
    again.close()


def test_a_recording_made_elsewhere_is_not_mixed_silently(bench):
    trainer = bench.open()
    play(trainer, 3)
    trainer.train([trainer.download(c) for c in cohort(4)])
    trainer.close()
    with pytest.raises(RecordingError, match="were recorded"):
        play(bench.open(drift=50.0), 4)


def test_the_exported_model_is_the_current_one(bench):
    trainer = bench.open()
    play(trainer, 2)
    first = np.load(trainer.export() / "model.npy")
    play(trainer, 3, first=3)
    second = np.load(trainer.export() / "model.npy")
    assert (first != second).any()
    trainer.close()
    again = bench.open()
    play(again, 3)
    np.testing.assert_array_equal(np.load(again.export() / "model.npy"), second)
    assert len(bench.made) == 1  # what is exported already needs no trainer


def test_a_kept_state_is_enough_to_export(bench):
    trainer = bench.open()
    play(trainer, 3)
    trainer.close()
    again = bench.open()
    play(again, 3)
    assert (again.export() / "model.npy").exists()
    assert not bench.made[-1].trained


@pytest.mark.parametrize("stamped", [None, b"\xff\0"], ids=["by an older version", "damaged"])
def test_a_model_of_another_stamp_is_exported_anew(bench, stamped):
    trainer = bench.open()
    play(trainer, 3)
    stamp = trainer.export() / "state.txt"
    current = stamp.read_bytes()
    stamp.write_bytes(stamped or trainer.state.encode())  # as it was once written
    (stamp.parent / "model.npy").write_bytes(b"what was exported then")
    trainer.close()
    again = bench.open()
    play(again, 3)
    np.testing.assert_array_equal(np.load(again.export() / "model.npy"), bench.made[0].vector)
    assert stamp.read_bytes() == current


def test_what_would_have_to_be_trained_again_is_not_exported(bench):
    trainer = bench.open()
    play(trainer, 3)
    trainer.close()
    for state in (bench.folder / "states").iterdir():
        state.unlink()
    published = bench.open()
    play(published, 3)
    assert published.export() is None
    assert len(bench.made) == 1


def test_a_disk_that_is_full_for_the_model_is_a_storage_error(bench, toy, monkeypatch):
    def full(*_):
        raise SafetensorError("Error while serializing: No space left on device")

    trainer = bench.open()
    play(trainer, 1)
    monkeypatch.setattr(toy, "export", full)
    with pytest.raises(StorageError, match="No space left"):
        trainer.export()
    monkeypatch.undo()
    assert (trainer.export() / "model.npy").exists()


def test_whoever_waits_for_another_is_told_and_finds_its_work(bench, toy):
    first = bench.open()
    play(first, 2)
    told = []

    def waiting():
        told.append(True)
        play(first, 3, first=3)
        first.close()

    second = RecordingTrainer(Recording(bench.store, SETTINGS), lambda: (toy(), {}), waiting)
    assert play(second, 4) == play(toy(), 4)
    assert told == [True]
    assert second.trained == 1


def test_what_a_kill_left_half_written_is_swept_away(bench):
    trainer = bench.open()
    play(trainer, 1)
    trainer.close()
    left_over = bench.folder / "states" / ".abc.safetensors.123"
    left_over.touch()
    again = bench.open()
    play(again, 2)
    assert not left_over.exists()


# -- asynchronous use: several versions in flight, and one client twice from one version


def asynchronous(trainer, plan):
    """Carry out [(clients to start, how many of the oldest to merge)]; what a policy gets to know.

    Who is in flight is trained when an update is due, however old its version.
    """
    known, waiting = [], []
    for clients, merged in plan:
        waiting += [trainer.download(c) for c in clients]
        if due := waiting[:merged]:
            uploads = trainer.train(due)
            known += [(u.client, u.nbytes) for u in uploads]
            del waiting[:merged]
            trainer.aggregate(uploads, [1 / (k + 1) for k in range(len(uploads))])
            known.append(trainer.evaluate("validation").loss)
    trainer.release(waiting)
    return known


# Client 3 trains version 0 twice, in steps 1 and 2; step 3 mixes versions 0, 1 and 2.
MIXED = [([3, 4, 5], 1), ([6], 1), ([7, 8, 9], 3), ([1], 2)]
TWICE = [([3, 4], 1), ([3], 0), ([5], 2), ([3], 1), ([6], 1)]


@pytest.mark.parametrize("plan", [MIXED, TWICE])
def test_several_versions_in_flight(bench, toy, plan):
    expected = asynchronous(toy(), plan)
    trainer = bench.open()
    assert asynchronous(trainer, plan) == expected
    trainer.restart()
    assert asynchronous(trainer, plan) == expected
    trainer.close()
    again = bench.open()
    assert asynchronous(again, plan) == expected
    assert again.trained == 0
    assert len(bench.made) == 1


clients_in = st.lists(st.integers(0, 4), max_size=3, unique=True)


@settings(max_examples=60, deadline=None, suppress_health_check=SHARED_TMP)
@given(
    plan=st.lists(st.tuples(clients_in, st.integers(0, 3)), min_size=1, max_size=14),
    fork=st.integers(0, 14),
    other=st.lists(st.tuples(clients_in, st.integers(0, 3)), max_size=5),
    data=st.data(),
)
def test_asynchronous_runs_cut_off_or_led_elsewhere_equal_unbroken_ones(
    tmp_path_factory, toy, plan, fork, other, data
):
    """One recording for a plan and another that leaves it, each torn anywhere and run again."""
    store = tmp_path_factory.mktemp("recordings")

    def opened():
        return RecordingTrainer(Recording(store, {"a": 1}), lambda: (toy(), {}))

    for each in (plan, plan[:fork] + other, plan):
        trainer = opened()
        assert asynchronous(trainer, each) == asynchronous(toy(), each)
        trainer.restart()
        assert asynchronous(trainer, each) == asynchronous(toy(), each)
        trainer.close()
        log = trainer.recording.folder / "log.jsonl"
        if log.exists():
            content = log.read_bytes()
            log.write_bytes(content[: data.draw(st.integers(0, len(content)))])


def test_nothing_is_held_for_what_was_forgotten(bench):
    trainer = bench.open()
    downloads = [trainer.download(c) for c in range(5)]
    uploads = trainer.train(downloads[:3])
    trainer.aggregate(uploads[:1], [1.0])
    trainer.release([*uploads[1:], *downloads[3:]])
    assert not trainer._downloads
    assert not trainer._uploads
    trainer.aggregate(uploads[1:2], [1.0])  # made again
    assert trainer.trained == 2


def test_what_holds_of_the_training_is_recorded_once(bench):
    unknown = bench.open()
    assert (unknown.metadata().examples, unknown.metadata().flop_per_example) == (None, None)
    assert not bench.made
    assert unknown.metadata(require_flops=True).flop_per_example == 7.0
    unknown.close()
    again = bench.open()
    assert again.metadata(require_flops=True).examples == (3,) * 20
    assert len(bench.made) == 1


def test_labels_are_recorded_and_older_recordings_have_none(bench):
    """Fields that came later: absent, they are not known, and nothing else changes."""
    trainer = bench.open()
    trainer.aggregate(trainer.train([trainer.download(1)]), [1.0])
    assert trainer.evaluate("validation").by_label == ((3, 6), (0, 4))
    assert trainer.metadata().labels == ((1, 2),) * 20
    trainer.close()
    log = trainer.recording.folder / "log.jsonl"
    facts = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    for fact in facts:
        fact.pop("by_label", None)
        fact.pop("labels", None)
    log.write_text("".join(json.dumps(fact) + "\n" for fact in facts), "utf-8")
    older = bench.open()
    assert (older.metadata().labels, older.metadata().examples) == (None, (3,) * 20)
    older.aggregate(older.train([older.download(1)]), [1.0])
    assert older.evaluate("validation").by_label == ()
    assert older.trained == 0


def test_what_a_trainer_does_not_know_of_labels_is_not_recorded(bench, toy, monkeypatch):
    """As one that reads an older recording."""
    unknown = dataclasses.replace(toy().metadata(), labels=None)
    monkeypatch.setattr(toy, "metadata", lambda _: unknown)
    trainer = bench.open()
    play(trainer, 1)
    assert (trainer.metadata().labels, trainer.metadata().examples) == (None, (3,) * 20)


@pytest.mark.parametrize(
    ("fact", "change"),
    [
        ("evaluate", {"by_label": [[7, 6]]}),
        ("evaluate", {"by_label": [[-1, 6]]}),
        ("evaluate", {"by_label": [[1, 2, 3]]}),
        ("evaluate", {"by_label": [[True, 1]]}),
        ("evaluate", {"by_label": 5}),
        ("about", {"labels": [[1]]}),
        ("about", {"labels": [[2**63]] * 20}),
        ("about", {"labels": [["1"]] * 20}),
        ("about", {"examples": [1.5] * 20}),
    ],
)
def test_labels_that_no_training_has_are_refused(bench, fact, change):
    trainer = bench.open()
    trainer.aggregate(trainer.train([trainer.download(1)]), [1.0])
    trainer.evaluate("validation")
    trainer.close()
    log = trainer.recording.folder / "log.jsonl"
    facts = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    for each in facts:
        each.update(change if each["fact"] == fact else {})
    log.write_text("".join(json.dumps(each) + "\n" for each in facts), "utf-8")
    with pytest.raises(RecordingError, match="not an entry of a recording"):
        bench.open()
