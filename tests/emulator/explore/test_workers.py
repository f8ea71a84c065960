"""Worker processes: results, the cache, what is stopped, and a process that dies."""

import asyncio
import time

import pytest

from emulator.common.errors import EmulationError
from emulator.explore import workers as module
from emulator.explore.replays import Run
from emulator.explore.workers import Workers
from emulator.results.summary_file import Measured
from emulator.runner import run as running

RUN = Run("head only", 0)


@pytest.fixture(scope="module")
def workers(study):
    pool = Workers(study, running.options_for(study, None, train=False), 2)
    yield pool
    pool.close()


def ask(workers, explored, runs=(RUN,)):
    async def all_of_them():
        return await asyncio.gather(*workers.drawing().ask([(explored, run) for run in runs]))

    return asyncio.run(all_of_them())


def test_results_come_back_and_are_cached(workers, form, monkeypatch):
    explored = form.explored("as fast", {})
    first = ask(workers, explored, [RUN, Run("LoRA", 0)])
    assert [each.outcome.method for each in first] == ["head only", "LoRA"]
    monkeypatch.setattr(workers, "_ask", lambda _: pytest.fail("asked again"))
    assert ask(workers, form.explored("as fast", {}))[0] is first[0]


def test_the_cache_forgets_what_was_not_used_for_longest(workers, form, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 1)
    explored = form.explored("as fast", {"network.clients.rtt": "41 ms"})
    first = ask(workers, explored)[0]
    ask(workers, explored, [Run("LoRA", 0)])
    assert ask(workers, explored)[0] is not first


def test_a_drawing_that_is_stopped_gives_nothing_and_leaves_nothing(workers, form):
    explored = form.explored("as fast", {"network.clients.rtt": "42 ms"})

    async def stopped():
        drawing = workers.drawing()
        tasks = drawing.ask([(explored, RUN)] * 50)
        await asyncio.sleep(0)
        drawing.stop(tasks)
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(stopped())
    assert all(isinstance(each, asyncio.CancelledError) for each in found)
    assert isinstance(ask(workers, explored)[0], Measured), "a later drawing is not stopped"


def test_a_simulation_that_runs_is_stopped(form, study):
    """Its process answers that it stopped, and not after the simulation's end."""
    replays = module.Replays(study, running.options_for(study, None, train=False))
    job = module._Job(form.explored("as fast", {}).simulated, RUN, 7, 1)
    calls = []

    class Stops:
        def __getitem__(self, slot):
            calls.append(slot)
            return len(calls) > 3

    assert module._answer(replays, job, Stops()) is None
    assert set(calls) == {7}
    assert len(calls) < 50, "of some thousand rows"


def test_a_process_that_dies_is_replaced(workers, form):
    explored = form.explored("as fast", {"network.clients.rtt": "43 ms"})
    time.sleep(0.1)
    for process in tuple(workers._processes):
        process._process.kill()
        process._process.join()
    died = ask(workers, explored, [RUN, Run("LoRA", 0)])
    assert any(isinstance(each, EmulationError) for each in died)
    found = ask(workers, explored, [RUN, Run("LoRA", 0)])
    assert [each.outcome.method for each in found] == ["head only", "LoRA"]


def test_closing_while_a_simulation_runs_closes_each_pipe_once(form, study, monkeypatch):
    """The thread that waits for it closes the pipe, and the caller only after that."""
    pool = Workers(study, running.options_for(study, None, train=False), 1)
    (process,) = pool._processes
    close, closed = process._pipe._close, []

    def slowly():
        time.sleep(0.1)  # both would be between the question and the closing
        closed.append(process)
        close()

    monkeypatch.setattr(process._pipe, "_close", slowly)
    pool.close()  # the preparation is still running
    assert closed == [process]
    assert not process._process.is_alive()
