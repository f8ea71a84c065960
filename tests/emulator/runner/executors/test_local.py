"""Several trainings at once, and what becomes of the others when one goes wrong."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from emulator.common.errors import EmulationError
from emulator.runner import inputs
from emulator.runner.events import Note, TrainingResult, ignore
from emulator.runner.executors import Local, Options, process_worker
from emulator.simulation.records import Evaluation, Transfer
from flasc.common.errors import DivergedError

BAD = "methods.bad={kind: lora, client_lr: 1e6}"


def gone(pid):
    """Wait until a process is no more (or only its parent's to bury)."""
    while True:
        try:
            os.kill(pid, 0)
            with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)


def rows(folder):
    with closing(sqlite3.connect(folder / "runs/toy/ledger.sqlite")) as db:
        return list(db.iterdump())


def test_one_worker_is_this_process(scenario, toys, tmp_path):
    trainings = inputs.read(scenario()).trainings()
    heard = []
    ended = dict(Local(1).run_all(trainings, Options(tmp_path), heard.append))
    assert list(ended) == [0, 1, 2]
    assert all(
        isinstance(result, TrainingResult) and result.trained_rounds == 4
        for result in ended.values()
    )
    assert len(toys) == 3
    rounds = [e.round for e in heard if e.training == 1 and not isinstance(e, Note)]
    assert rounds == [1, 1, 2, 2, 3, 3, 4, 4] * 2  # a round and its evaluation; two variants


def test_what_is_told_of_a_training_is_what_its_rows_say(scenario, toys, tmp_path):
    trainings = inputs.read(scenario(), (), ["head"]).trainings()
    heard = []
    engine = Local(1)
    ended = dict(engine.run_all(trainings, Options(tmp_path), heard.append))
    for emulation, found in ended[0].emulations.items():
        told = [each for each in heard if getattr(each, "variant", "") == emulation.variant]
        scores = [row for row in found if isinstance(row, Evaluation)]
        assert [each.accuracy for each in told if each.split] == [row.accuracy for row in scores]
        assert [each.clock_s for each in told if each.split] == [row.time_s for row in scores]
        for way, moved in (("down", told[-1].bytes_down), ("up", told[-1].bytes_up)):
            assert moved == sum(
                row.nbytes for row in found if isinstance(row, Transfer) and row.direction == way
            )
        assert told[0].bytes_down < told[-1].bytes_down


def test_an_error_of_one_leaves_the_others_be(scenario, toys, tmp_path):
    trainings = inputs.read(scenario(), [BAD], ["bad", "head"]).trainings()
    ended = dict(Local(1).run_all(trainings, Options(tmp_path), ignore))
    kinds = {trainings[index].method: type(result) for index, result in ended.items()}
    assert kinds == {"head": TrainingResult, "bad": DivergedError}


def test_a_bug_is_not_swallowed(scenario, toys, tmp_path, monkeypatch):
    monkeypatch.setattr("emulator.runner.executors.worker_loop.run_training", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(Local(1).run_all(inputs.read(scenario()).trainings(), Options(tmp_path), print))


def test_workers_replay_what_this_process_trained(scenario, toys, tmp_path):
    trainings = inputs.read(scenario()).trainings()
    options = Options(tmp_path)
    alone = dict(Local(1).run_all(trainings, options, ignore))
    heard = []
    spread = dict(Local(2).run_all(trainings, options, heard.append))
    assert {i: r.emulations for i, r in spread.items()} == {
        i: r.emulations for i, r in alone.items()
    }
    assert all(result.trained_rounds == 0 for result in spread.values())
    assert {each.training for each in heard} == {0, 1, 2}


def test_closing_early_ends_the_workers(scenario, toys, tmp_path):
    trainings = inputs.read(scenario()).trainings()
    list(Local(1).run_all(trainings, Options(tmp_path), ignore))
    ended = Local(2).run_all(trainings, Options(tmp_path), ignore)
    next(ended)
    ended.close()
    assert not multiprocessing.active_children()


def test_workers_that_cannot_start_are_named_and_the_rest_is_not_lost(
    scenario, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        "emulator.runner.executors.local._work", os._exit
    )  # every worker dies at once
    trainings = inputs.read(scenario()).trainings()
    ended = dict(Local(2).run_all(trainings, Options(tmp_path), ignore))
    assert sorted(ended) == [0, 1, 2]
    assert all(isinstance(result, EmulationError) for result in ended.values())
    assert "no worker was left" in ended[2].message


def test_a_killed_worker_leaves_the_other_and_running_again_mends_it(command, scenario):
    path = scenario()
    process = command.start("run", path, "--workers", "2", pause_at=2)
    victim, _ = command.paused(2, process)
    os.kill(victim, signal.SIGKILL)
    command.go()
    code, out, err = command.end(process)
    assert code == 2
    assert "killed (signal 9)" in err
    assert err.count("error:") == 1
    assert "run the same command again" in err
    assert "Traceback" not in err
    assert "2 of 6 simulations are missing" in " ".join(out.split())
    code, out, _ = command.run("run", path, "--workers", "2")
    assert code == 0
    assert "\n3 rounds trained" in out  # one round of four was recorded before the kill
    broken = rows(command.folder)
    command.run_here(path, "--recordings", "elsewhere")
    assert broken == rows(command.folder)


@pytest.mark.parametrize(
    ("number", "code", "said", "workers"),
    [
        (signal.SIGINT, 130, "interrupted", 1),
        (signal.SIGINT, 130, "interrupted", 2),
        (signal.SIGTERM, 143, "terminated", 2),
        (signal.SIGHUP, 129, "terminated", 1),
    ],
)
def test_a_signal_is_one_message_and_leaves_nobody_behind(
    command, scenario, number, code, said, workers
):
    path = scenario()
    process = command.start("run", path, "--workers", workers, pause_at=2)
    pids = command.paused(workers, process)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal sends Ctrl-C
    else:
        process.send_signal(number)
    found, _, err = command.end(process)
    assert found == code, err
    assert err.count(f"{said}: run the same command again") == 1
    assert "Traceback" not in err
    assert all(gone(pid) for pid in pids)
    found, out, _ = command.run_here(path)
    assert found == 0
    assert f"\n{12 - workers} rounds trained" in out  # a round each was recorded


STOPPED_IN_A_CALLBACK = """
import os, signal, weakref
from emulator.runner.executors import local

signal.signal(signal.SIGTERM, local._stop)
thing = type("Thing", (), {})()
kept = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGTERM))
del thing  # an exception cannot propagate from the callback
print("went on")
"""


def test_a_worker_stops_in_silence_wherever_the_signal_meets_it():
    ended = subprocess.run(
        [sys.executable, "-c", STOPPED_IN_A_CALLBACK], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")


def test_workers_do_not_outlive_a_parent_that_was_killed(command, scenario):
    process = command.start("run", scenario(), "--workers", "2", pause_at=2)
    pids = command.paused(2, process)
    process.kill()
    _, _, err = command.end(process)
    assert all(gone(pid) for pid in pids)
    assert "Traceback" not in err


@pytest.mark.parametrize("workers", [1, 2])
def test_a_paused_run_does_not_outlive_tests_that_were_cut_off(command, scenario, workers):
    with subprocess.Popen(["sleep", "100"]) as tests:
        process = command.start(
            "run", scenario(), "--workers", workers, pause_at=2, tests=tests.pid
        )
        pids = command.paused(workers, process)
        tests.kill()
    process.wait(timeout=60)
    assert all(gone(pid) for pid in pids)


def test_ctrl_c_while_workers_start_shows_no_traceback(command, scenario):
    process = command.start("run", scenario(), "--workers", "2", pause_at=0)
    while not (command.folder / "runs/toy/ledger.sqlite").exists():
        assert process.poll() is None
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGINT)
    code, _, err = command.end(process)
    assert code == 130
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_another_thread_takes_waits_until_the_worker_is_whole(number, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    whole = False

    def start_worker():
        nonlocal whole
        with process_worker.delayed_signals():
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            whole = True

    before = signal.signal(number, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            start_worker()
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)
        over.set()
        thread.join()
    assert whole


def test_workers_may_be_started_from_any_thread():
    def start_worker():
        with process_worker.delayed_signals():
            return signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(start_worker).result() is signal.getsignal(signal.SIGINT)


def test_two_identical_runs_at_once_both_end_well(command, scenario):
    path = scenario()
    first = command.start("run", path, "--workers", "2", pause_at=2)
    command.paused(2, first)
    second = command.start("run", path, "--workers", "1")
    second.stderr.readline()  # it says that it waits
    command.go()
    results = [command.end(process) for process in (first, second)]
    assert [code for code, _, _ in results] == [0, 0]
    assert "\n12 rounds trained" in results[0][1]
    assert "\n0 rounds trained" in results[1][1]


def test_two_runs_that_share_recordings_train_each_round_once(command, scenario):
    path = scenario()
    runs = [command.start("run", path, "--out", out, "--workers", "1") for out in ("a", "b")]
    results = [command.end(process) for process in runs]
    assert [code for code, _, _ in results] == [0, 0]
    trained = [int(out.split(" rounds trained")[0].split()[-1]) for _, out, _ in results]
    assert sum(trained) == 12
    assert (command.folder / "a/results.json").read_bytes() == (
        command.folder / "b/results.json"
    ).read_bytes()
