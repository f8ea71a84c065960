"""Assigns trainings, and pieces of them, to workers of any kind."""

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from emulator.common.errors import EmulationError
from emulator.runner.events import Note, OnEvent, Simulated, TrainingProgress
from emulator.runner.executors.base import Results
from emulator.runner.executors.work_sharing import (
    Assist,
    Finished,
    Offer,
    Piece,
    Ready,
    SharedWork,
    Take,
    Train,
)
from emulator.scenario.study import TrainingJob


class WorkerHandle(ABC):
    """The pool's view of a worker, which trains, helps or is idle.

    `index` is the training that the worker runs (-1: none), `shared` the pieces that this training
    offers; `helped` is the worker that it helps, and `busy` the message that it has not answered
    yet. A worker that is not `up` has not sent its first message.
    """

    up = True

    def __init__(self) -> None:
        self.helped: WorkerHandle | None = None
        self.busy: Assist | Piece | None = None
        self._source: SharedWork | None = None  # of the pieces that it was sent
        self.stop_training()

    def give(self, index: int, training: TrainingJob) -> None:
        """Send a training."""
        self.index, self.training, self.helped = index, training, None
        self.send(Train(index, training))

    def stop_training(self) -> None:
        """Note that the worker has no training."""
        self.index, self.asks = -1, False
        self.shared: SharedWork | None = None

    def assist(self, other: "WorkerHandle") -> None:
        """Have the worker prepare to help `other`."""
        self.helped, self.busy, self._source = other, Assist(other.training.settings), None
        self.send(self.busy)

    def take_piece(self) -> None:
        """Send the next piece of the helped training, if there is one and the worker is free."""
        shared = self.helped.shared if self.helped else None
        if self.busy or shared is None or (index := shared.take()) is None:
            return
        self.busy = Piece(index, None if shared is self._source else shared.pieces)
        self._source = shared
        self.send(self.busy)

    def hear(self, message: Ready | Finished) -> None:
        """Note the answer of a helper."""
        self.busy = None
        if isinstance(message, Finished) and self._source:
            self._source.finish(message)

    def put_back(self) -> None:
        """Return the worker's piece, so that another worker does it."""
        if isinstance(self.busy, Piece) and self._source:
            self._source.give_back(self.busy.index)

    def answer(self) -> None:
        """Answer a Take of the worker, if there is one and an answer."""
        if self.asks and self.shared and (answer := self.shared.answer()):
            self.asks = False
            self.send(answer)

    @abstractmethod
    def send(self, message: Any) -> None:
        """Send a message; if the worker is dead, `receive` reports it."""

    @abstractmethod
    def receive(self) -> Sequence[Any]:
        """Messages of the worker to the pool; None is the last message of a dead worker."""

    @abstractmethod
    def terminate(self) -> None:
        """Ask the worker to end."""

    @abstractmethod
    def end(self) -> None:
        """End the worker and wait for its end."""

    @abstractmethod
    def died(self) -> EmulationError:
        """The error of a worker that died; called after `end`."""


W = TypeVar("W", bound=WorkerHandle)


class WorkerPool(Generic[W]):
    """The workers of a run. Each one runs a training, helps another worker or is idle."""

    def __init__(
        self,
        trainings: Sequence[TrainingJob],
        limit: int,
        start: Callable[[], W],
        wait: Callable[[Sequence[W]], Iterable[W]],
        tries: int = 1,
    ) -> None:
        """Start at most `limit` workers; `wait` returns those that sent messages, perhaps none.

        A training is started up to `tries` times, as its worker may die.
        """
        self._to_start, self._start, self._wait, self._tries = limit, start, wait, tries
        self._workers: list[W] = []
        self._waiting = deque(enumerate(trainings))
        self._ended: set[int] = set()
        self._starts: Counter[int] = Counter()
        self._lost: EmulationError | None = None

    def results(self, on_event: OnEvent) -> Results:
        """Yield (index, result) of each training as it ends. Closing it ends all workers."""
        try:
            self._fill(len(self._waiting))
            for worker, message in self._messages():
                if isinstance(message, Note | TrainingProgress | Simulated):
                    on_event(message)
                elif isinstance(message, Offer | Take | Ready | Finished):
                    self._share_work(worker, message)
                elif message is not None:
                    index = self._free(worker)
                    self._ended.add(index)
                    self._assign()
                    yield index, message
                elif (index := self._lose(worker)) >= 0:
                    if self._starts[index] < self._tries:
                        self._waiting.appendleft((index, worker.training))
                        self._to_start += 1
                        self._fill(1)
                        on_event(Note(index, "its worker died; another one continues"))
                    else:
                        self._ended.add(index)
                        yield index, worker.died()
                    self._assign()
            none = EmulationError("no worker was left for it", "run the same command again")
            for index, _ in self._waiting:
                yield index, self._lost or none
        finally:
            self._end()

    def _fill(self, wanted: int) -> None:
        """Start up to `wanted` workers, within the limit."""
        for _ in range(min(wanted, self._to_start)):
            self._workers.append(self._start())
            self._to_start -= 1
        self._assign()

    def _messages(self) -> Iterator[tuple[W, Any]]:
        """The messages of all workers, until no training is running or waiting."""
        while self._workers and (self._waiting or any(w.index >= 0 for w in self._workers)):
            for worker in self._wait(self._workers):
                for message in worker.receive():
                    if worker in self._workers:
                        yield worker, message
            self._assign()

    def _free(self, worker: W) -> int:
        """Note that a training has ended, and release its helpers. Returns its index."""
        index = worker.index
        for other in self._workers:
            if other.helped is worker:
                other.helped = None
        worker.stop_training()
        return index

    def _lose(self, worker: W) -> int:
        """Remove a dead worker and return its piece. Returns the index of its training or -1."""
        index = self._free(worker)
        self._workers.remove(worker)
        worker.put_back()
        worker.end()
        if not worker.up:
            self._lost = worker.died()
        return index

    def _share_work(self, worker: W, message: Offer | Take | Ready | Finished) -> None:
        if isinstance(message, Offer):
            worker.shared = SharedWork(message)
            if not self._waiting:
                self._fill(self._to_start)
        elif isinstance(message, Take):
            worker.asks = True
        else:
            worker.hear(message)
        self._assign()

    def _assign(self) -> None:
        """Assign trainings to idle workers, then helpers to trainings with fewest, then pieces."""
        idle = [w for w in self._workers if w.index < 0 and w.up]
        for worker in idle:
            if not worker.busy and (found := self._next()):
                index, training = found
                self._starts[index] += 1
                worker.give(index, training)
        helpers = [w for w in idle if w.index < 0]
        for helper in helpers:
            helped = [other.helped for other in helpers]
            offering = [w for w in self._workers if w.shared is not None]
            if helper.helped is None and not helper.busy and offering:
                helper.assist(min(offering, key=helped.count))
            helper.take_piece()
        for worker in self._workers:
            worker.answer()

    def _next(self) -> tuple[int, TrainingJob] | None:
        """Take the first waiting training that can start; None if there is none."""
        for found in self._waiting:
            after = found[1].after
            if after is None or after in self._ended:
                self._waiting.remove(found)
                return found
        return None

    def _end(self) -> None:
        """End all workers at the same time: each may take a moment."""
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.end()
