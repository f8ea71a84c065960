"""Idle workers help a training: its pieces are assigned one by one, through the parent process.

The worker of a training offers pieces (clients to train, batches to score) and takes one after the
other. Helpers take theirs from the same queue, so that no worker waits for more than one piece. If
a helper dies, its piece returns to the queue. Results do not depend on which worker did a piece.

Pieces and results are pickled by the workers, as a pipe would do, and the parent passes them on
as bytes: it does not import torch. Only messages of workers that this run started are unpickled.
"""

import pickle
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.runner.recording.remote import Pipe
from emulator.scenario.study import TrainingJob
from flasc.training.settings import TrainingSettings


@dataclass(frozen=True)
class Train:
    """To a worker: run this training, whose index is reported in its events."""

    index: int
    training: TrainingJob


@dataclass(frozen=True)
class Offer:
    """From the worker of a training: `count` pieces, pickled as one list in order of priority."""

    count: int
    pieces: bytes


@dataclass(frozen=True)
class Take:
    """From the worker of a training: requests a Piece to do or a Finished one."""


@dataclass(frozen=True)
class Assist:
    """To a helper: prepare to do pieces of a training with these settings."""

    settings: TrainingSettings


@dataclass(frozen=True)
class Ready:
    """From a helper that is prepared."""


@dataclass(frozen=True)
class Piece:
    """To a worker: do the piece `index` of an offer; None `pieces` were sent before."""

    index: int
    pieces: bytes | None = None


@dataclass(frozen=True)
class Finished:
    """From a helper, passed on to the worker of the training: the pickled result of a piece."""

    index: int
    result: bytes


class SharedWork:
    """The pool's record of an offer: pieces that wait, and results of helpers."""

    def __init__(self, offer: Offer) -> None:
        self.pieces = offer.pieces
        self._waiting = deque(range(offer.count))
        self._finished: deque[Finished] = deque()

    def take(self) -> int | None:
        """The index of the next piece; None if none waits."""
        return self._waiting.popleft() if self._waiting else None

    def give_back(self, index: int) -> None:
        """Return the piece of a helper that died."""
        self._waiting.appendleft(index)

    def finish(self, finished: Finished) -> None:
        """Keep a helper's result until the worker of the training takes it."""
        self._finished.append(finished)

    def answer(self) -> Piece | Finished | None:
        """The answer to a Take; None if there is none yet."""
        if self._finished:
            return self._finished.popleft()
        index = self.take()
        return None if index is None else Piece(index)


class RemoteHelpers:
    """`flasc.training.shared_models.Helpers` of a worker, reached through its pipe to the pool."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def carry_out(self, pieces: Sequence[Any], here: Callable[[Any], Any]) -> list[Any]:
        """The result of each piece, in order, computed by `here` or by a helper."""
        results: dict[int, Any] = {}
        self._pipe.send(Offer(len(pieces), pickle.dumps(list(pieces))))
        while len(results) < len(pieces):
            self._pipe.send(Take())
            answer: Piece | Finished = self._pipe.recv()
            if isinstance(answer, Piece):
                results[answer.index] = here(pieces[answer.index])
            else:
                results[answer.index] = pickle.loads(answer.result)
        return [results[index] for index in range(len(pieces))]


class Helper:
    """The helping side of a worker: `prepare` builds the trainer whose `work` does a piece."""

    def __init__(self, pipe: Pipe, prepare: Callable[[TrainingSettings], Any]) -> None:
        self._pipe, self._prepare = pipe, prepare
        self._trainer: Any = None
        self._pieces: list[Any] = []

    def handle(self, message: Assist | Piece) -> None:
        """Carry out a message of the pool and answer it."""
        if isinstance(message, Assist):
            self._trainer, self._pieces = None, []  # free the previous one first
            self._trainer = self._prepare(message.settings)
            self._pipe.send(Ready())
            return
        if message.pieces is not None:
            self._pieces = pickle.loads(message.pieces)
        result = self._trainer.work(self._pieces[message.index])
        self._pipe.send(Finished(message.index, pickle.dumps(result)))
