"""A crew without processes: who gets what, and what becomes of it when one dies."""

from collections import deque
from dataclasses import dataclass

import pytest

from emulator.common.errors import EmulationError
from emulator.runner.events import Note, ignore
from emulator.runner.executors.pool import WorkerHandle, WorkerPool


@dataclass
class Todo:
    """Stands for a training; the crew looks into none."""

    name: str
    settings: str = "settings"
    after: int | None = None


class Scripted(WorkerHandle):
    """Answers a training with its name, unless it is told to die."""

    def __init__(self, number, log, *, up=True, dies_of=()):
        super().__init__()
        self.number, self.log, self.up = number, log, up
        self.dies_of, self.says = dies_of, deque() if up else deque([None])

    def send(self, message):
        name = message.training.name
        self.log.append((self.number, name))
        self.says.append(None if name in self.dies_of else name)

    def receive(self):
        return [self.says.popleft()]

    def terminate(self):
        self.log.append((self.number, "terminate"))

    def end(self):
        self.log.append((self.number, "end"))

    def died(self):
        return EmulationError(f"worker {self.number} died")


def carried(names, most, members, tries=1):
    """(results by name or message, notes, the log) of a crew of these members, in turn."""
    log, notes, left = [], [], deque(members)

    def start():
        number, more = left.popleft()
        return Scripted(number, log, **more)

    def wait(found):
        return [member for member in found if member.says]

    crew = WorkerPool([Todo(name) for name in names], most, start, wait, tries)
    results = {}
    for index, result in crew.results(notes.append):
        assert index not in results
        results[index] = str(result)
    return results, notes, log


@pytest.mark.parametrize("most", [1, 2, 3, 9])
def test_every_training_ends_once_and_everybody_is_ended(most):
    results, _, log = carried("abc", most, [(n, {}) for n in range(9)])
    assert results == {0: "a", 1: "b", 2: "c"}
    given = [name for _, name in log if name in "abc"]
    assert given == ["a", "b", "c"]
    started = {number for number, _ in log}
    assert started == set(range(min(most, 3)))  # nobody offers pieces: nobody else is wanted
    assert {number for number, what in log if what == "end"} == started


def test_one_that_dies_is_an_error_of_its_training():
    results, notes, log = carried("abc", 2, [(0, {"dies_of": "a"}), (1, {})])
    assert results == {0: "worker 0 died", 1: "b", 2: "c"}
    assert not notes
    assert (0, "end") in log


def test_where_it_may_be_tried_again_another_one_goes_on():
    results, notes, _ = carried("ab", 2, [(0, {"dies_of": "a"}), (1, {}), (2, {})], tries=2)
    assert results == {0: "a", 1: "b"}
    assert notes == [Note(0, "its worker died; another one continues")]


def test_a_training_that_kills_whoever_has_it_is_given_up():
    deadly = [(number, {"dies_of": "a"}) for number in range(9)]
    results, notes, log = carried("ab", 2, deadly, tries=3)
    assert results[1] == "b"
    assert results[0].endswith("died")
    assert len([1 for _, name in log if name == "a"]) == 3
    assert len(notes) == 2


def test_whoever_is_idle_takes_over_where_a_new_one_never_comes():
    class Late(Scripted):
        def receive(self):
            return []

    log, left = [], deque([Scripted(0, [], dies_of="a"), Scripted(1, [])])

    def start():
        return left.popleft() if left else Late(2, log, up=False)

    def wait(found):
        return [member for member in found if member.says]

    crew = WorkerPool([Todo("a"), Todo("b")], 2, start, wait, tries=2)
    assert dict(crew.results(ignore)) == {0: "a", 1: "b"}


def test_where_nobody_can_start_the_reason_is_said():
    results, _, _ = carried("abc", 2, [(0, {"up": False}), (1, {"up": False})])
    assert set(results) == {0, 1, 2}
    assert set(results.values()) == {"worker 1 died"}


def test_closing_it_ends_everybody():
    log = []
    crew = WorkerPool(
        [Todo("a"), Todo("b")], 2, lambda: Scripted(0, log), lambda found: [found[0]], tries=1
    )
    results = crew.results(ignore)
    assert next(results) == (0, "a")
    results.close()
    assert log[-4:] == [(0, "terminate"), (0, "terminate"), (0, "end"), (0, "end")]
