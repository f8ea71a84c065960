"""Workers that share out trainings, and pieces of them, whatever connects us to them."""

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from emulator.common.errors import EmulationError
from emulator.runner.executors.base import Notify, Results
from emulator.runner.executors.work_sharing import (
    Assist,
    Finished,
    Offer,
    Piece,
    Ready,
    SharedWork,
    Take,
)
from emulator.runner.training_job import Progress
from emulator.scenario.study import TrainingJob


class WorkerHandle(ABC):
    """A worker as its crew sees it: it trains or helps.

    `index` is the training that it carries out, -1 for none, with its `board` of pieces offered;
    `helped` is the worker that it helps, and `busy` what it has not yet answered to. One that is
    not `up` has yet to be heard of.
    """

    up = True

    def __init__(self) -> None:
        self.helped: WorkerHandle | None = None
        self.busy: Assist | Piece | None = None
        self._source: SharedWork | None = None  # of the pieces that it has
        self.stop_training()

    def give(self, index: int, training: TrainingJob) -> None:
        """A training to carry out, by its index."""
        self.index, self.training, self.helped = index, training, None
        self.send(training)

    def stop_training(self) -> None:
        """Be without a training."""
        self.index, self.asks = -1, False
        self.board: SharedWork | None = None

    def assist(self, other: "WorkerHandle") -> None:
        """Get ready to help `other`."""
        self.helped, self.busy, self._source = other, Assist(other.training.settings), None
        self.send(self.busy)

    def take_piece(self) -> None:
        """The next piece of whoever it helps, if it can do one now."""
        board = self.helped.board if self.helped else None
        if self.busy or board is None or (index := board.take()) is None:
            return
        self.busy = Piece(index, None if board is self._source else board.pieces)
        self._source = board
        self.send(self.busy)

    def hear(self, message: Ready | Finished) -> None:
        """It has done what it was busy with."""
        self.busy = None
        if isinstance(message, Finished) and self._source:
            self._source.finish(message)

    def put_back(self) -> None:
        """What it was busy with is for somebody else."""
        if isinstance(self.busy, Piece) and self._source:
            self._source.give_back(self.busy.index)

    def answer(self) -> None:
        """Tell it what to do next for its own training, once it asks and there is something."""
        if self.asks and self.board and (told := self.board.answer()):
            self.asks = False
            self.send(told)

    @abstractmethod
    def send(self, message: Any) -> None:
        """Say something to it; where it is dead `receive` finds out."""

    @abstractmethod
    def receive(self) -> Sequence[Any]:
        """What it has to say to the crew; None is the last word of one that has died."""

    @abstractmethod
    def terminate(self) -> None:
        """Ask it to end."""

    @abstractmethod
    def end(self) -> None:
        """End it, and wait until it is gone."""

    @abstractmethod
    def died(self) -> EmulationError:
        """What to say of one that fell silent; after `end`."""


M = TypeVar("M", bound=WorkerHandle)


class WorkerPool(Generic[M]):
    """The workers: each has a training, helps another's, or is idle."""

    def __init__(
        self,
        trainings: Sequence[TrainingJob],
        most: int,
        start: Callable[[], M],
        wait: Callable[[Sequence[M]], Iterable[M]],
        tries: int = 1,
    ) -> None:
        """At most so many workers; `wait` gives those that have something to say, if any has yet.

        A training is begun up to `tries` times, as its worker may die.
        """
        self._to_start, self._start, self._wait, self._tries = most, start, wait, tries
        self._members: list[M] = []
        self._waiting = deque(enumerate(trainings))
        self._begun: Counter[int] = Counter()
        self._lost: EmulationError | None = None

    def results(self, notify: Notify) -> Results:
        """Yield (index, result) of each training as it ends. Closing it ends all workers."""
        try:
            self._fill(len(self._waiting))
            for member, message in self._messages():
                if isinstance(message, Progress):
                    notify(member.index, message)
                elif isinstance(message, Offer | Take | Ready | Finished):
                    self._hand_out(member, message)
                elif message is not None:
                    index = self._free(member)
                    self._share()
                    yield index, message
                elif (index := self._lose(member)) >= 0:
                    if self._begun[index] < self._tries:
                        self._waiting.appendleft((index, member.training))
                        self._to_start += 1
                        self._fill(1)
                        notify(index, Progress(note="its worker died; another one goes on"))
                    else:
                        yield index, member.died()
                    self._share()
            for index, _ in self._waiting:
                yield (
                    index,
                    self._lost
                    or EmulationError("no worker was left for it", "run the same command again"),
                )
        finally:
            self._end()

    def _fill(self, wanted: int) -> None:
        """Start workers that are wanted, as far as there may be more."""
        for _ in range(min(wanted, self._to_start)):
            self._members.append(self._start())
            self._to_start -= 1
        self._share()

    def _messages(self) -> Iterator[tuple[M, Any]]:
        """What each has to say, until no training is left with anyone, nor for anyone."""
        while self._members and (self._waiting or any(m.index >= 0 for m in self._members)):
            for member in self._wait(self._members):
                for message in member.receive():
                    if member in self._members:
                        yield member, message
            self._share()

    def _free(self, member: M) -> int:
        """Its training has ended, and with it whatever help it had: the training's index."""
        index = member.index
        for other in self._members:
            if other.helped is member:
                other.helped = None
        member.stop_training()
        return index

    def _lose(self, member: M) -> int:
        """A worker is dead; what it did for another is done again. Its training's index or -1."""
        index = self._free(member)
        self._members.remove(member)
        member.put_back()
        member.end()
        if not member.up:
            self._lost = member.died()
        return index

    def _hand_out(self, member: M, message: Offer | Take | Ready | Finished) -> None:
        """Pieces to those who offer them, and to those who help."""
        if isinstance(message, Offer):
            member.board = SharedWork(message)
            if not self._waiting:
                self._fill(self._to_start)
        elif isinstance(message, Take):
            member.asks = True
        else:
            member.hear(message)
        self._share()

    def _share(self) -> None:
        """Trainings to who is idle, then help to whoever has the least, and pieces."""
        idle = [m for m in self._members if m.index < 0 and m.up]
        for member in idle:
            if self._waiting and not member.busy:
                index, training = self._waiting.popleft()
                self._begun[index] += 1
                member.give(index, training)
        helpers = [m for m in idle if m.index < 0]
        for helper in helpers:
            helped = [other.helped for other in helpers]
            offering = [m for m in self._members if m.board is not None]
            if helper.helped is None and not helper.busy and offering:
                helper.assist(min(offering, key=helped.count))
            helper.take_piece()
        for member in self._members:
            member.answer()

    def _end(self) -> None:
        """End them all at once: each may take a moment."""
        for member in self._members:
            member.terminate()
        for member in self._members:
            member.end()
