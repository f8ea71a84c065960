"""Idle workers that help: every piece once, the same rows, also when a helper is lost."""

import os
import signal
import sqlite3
import threading
import time
from contextlib import closing
from multiprocessing import Pipe

import pytest
from hypothesis import given, strategies as st

from emulator.runner.executors.work_sharing import (
    Assist,
    Finished,
    Helper,
    Offer,
    Piece,
    Ready,
    RemoteHelpers,
    SharedWork,
    Take,
)

ONE = "LoRA"


def rows(folder, run="runs/toy"):
    with closing(sqlite3.connect(folder / run / "ledger.sqlite")) as db:
        return list(db.iterdump())


@given(st.integers(1, 12), st.lists(st.sampled_from(["ask", "lend", "finish", "lose"])))
def test_whatever_happens_every_piece_is_done_once(count, events):
    board = SharedWork(Offer(count, b""))
    lent, done = [], []

    def ask():
        told = board.answer()
        if told is not None:
            done.append(told.index)
        return told

    for event in events:
        if event == "ask":
            ask()
        elif event == "lend" and (index := board.take()) is not None:
            lent.append(index)
        elif event == "finish" and lent:
            board.finish(Finished(lent.pop(), b""))
        elif event == "lose" and lent:
            board.give_back(lent.pop())
    for index in lent:
        board.give_back(index)
    while ask():
        pass
    assert sorted(done) == list(range(count))


def test_a_training_and_a_helper_through_pipes():
    """Both ends without processes: the helper does piece 0, the training 1 and 2."""
    ours, theirs = Pipe()
    found = []
    training = threading.Thread(
        target=lambda: found.extend(RemoteHelpers(theirs).carry_out(["a", "b", "c"], str.upper))
    )
    training.start()
    offer = ours.recv()
    board = SharedWork(offer)
    lent = board.take()

    class Trainer:
        def work(self, piece):
            return piece + piece

    to_helper, of_helper = Pipe()
    helper = Helper(of_helper, lambda settings: Trainer())
    helper.handle(Assist("settings"))
    assert to_helper.recv() == Ready()
    helper.handle(Piece(lent, offer.pieces))
    board.finish(to_helper.recv())
    while True:
        training.join(0.001)
        if not training.is_alive():
            break
        if ours.poll():
            assert ours.recv() == Take()
            ours.send(board.answer())
    assert found == ["aa", "B", "C"]


@pytest.mark.parametrize("workers", [2, 3])
def test_idle_workers_help_and_the_ledger_is_the_same(command, scenario, workers):
    path = scenario()
    code, out, err = command.run("run", path, "--workers", workers, "--method", ONE, spread="on")
    assert code == 0, err
    assert "\n4 rounds trained" in out
    helpers = list(command.folder.glob("helping-*"))
    assert 1 <= len(helpers) < workers
    spread = rows(command.folder)
    command.run_here(path, "--method", ONE, "--recordings", "elsewhere")
    assert spread == rows(command.folder)


def test_a_helper_that_is_killed_costs_nothing_but_time(command, scenario):
    path = scenario()
    process = command.start("run", path, "--workers", 2, "--method", ONE, spread="pause")
    (helper,) = command.paused(1, process, "helping")
    os.kill(helper, signal.SIGKILL)
    code, out, err = command.end(process)
    assert code == 0, err
    assert "\n4 rounds trained" in out
    spread = rows(command.folder)
    command.run_here(path, "--method", ONE, "--recordings", "elsewhere")
    assert spread == rows(command.folder)


def test_a_training_whose_worker_is_killed_is_reported_though_it_was_helped(command, scenario):
    path = scenario()
    process = command.start("run", path, "--workers", 2, "--method", ONE, spread="on", pause_at=2)
    (victim,) = command.paused(1, process)
    os.kill(victim, signal.SIGKILL)
    code, _, err = command.end(process)
    assert code == 2
    assert "killed (signal 9)" in err
    assert "Traceback" not in err
    code, out, _ = command.run_here(path, "--method", ONE)
    assert code == 0
    assert "\n3 rounds trained" in out


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_signal_ends_helpers_too(command, scenario, number, code):
    process = command.start("run", scenario(), "--workers", 2, "--method", ONE, spread="pause")
    (helper,) = command.paused(1, process, "helping")
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    found, _, err = command.end(process)
    assert found == code
    assert "Traceback" not in err
    while _alive(helper):
        time.sleep(0.01)


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
