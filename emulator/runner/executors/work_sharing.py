"""Idle workers help a training: its pieces are handed out one by one, through the parent.

A training's worker offers pieces (clients to train, batches to score) and asks for one after the
other; helpers get theirs from the same heap, so that nobody waits for more than one piece. A
helper's piece that is lost with it goes back on the heap. Results do not depend on who did what.

Pieces and results are pickled where they are made, as a pipe would do, and pass through the
parent unread: it does not import torch. What is unpickled comes from workers that we started.
"""

import pickle
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.runner.recording.remote import Pipe
from flasc.training.settings import TrainingSettings


@dataclass(frozen=True)
class Offer:
    """A training's worker: so many pieces, pickled as one list, those to begin with first."""

    count: int
    pieces: bytes


@dataclass(frozen=True)
class Take:
    """A training's worker: what shall I do, or what has come back?"""


@dataclass(frozen=True)
class Assist:
    """To a helper: get ready to carry out pieces of this training."""

    settings: TrainingSettings


@dataclass(frozen=True)
class Ready:
    """A helper: I am."""


@dataclass(frozen=True)
class Piece:
    """Carry out this one of an offer's `pieces`; None where they were sent before."""

    index: int
    pieces: bytes | None = None


@dataclass(frozen=True)
class Finished:
    """A helper, passed on to the training's worker: the pickled result of a piece."""

    index: int
    result: bytes


class SharedWork:
    """The parent's side of an offer: which pieces wait, and what came back."""

    def __init__(self, offer: Offer) -> None:
        self.pieces = offer.pieces
        self._waiting = deque(range(offer.count))
        self._back: deque[Finished] = deque()

    def take(self) -> int | None:
        """The next piece that waits, if one does."""
        return self._waiting.popleft() if self._waiting else None

    def give_back(self, index: int) -> None:
        """A piece whose helper is gone."""
        self._waiting.appendleft(index)

    def finish(self, finished: Finished) -> None:
        """A helper's result, until the training's worker asks."""
        self._back.append(finished)

    def answer(self) -> Piece | Finished | None:
        """What to tell the training's worker; None: nothing yet."""
        if self._back:
            return self._back.popleft()
        index = self.take()
        return None if index is None else Piece(index)


class RemoteHelpers:
    """`flasc.training.shared_models.Helpers` of a worker, whose end of the pipe to the parent this
    is."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def carry_out(self, pieces: Sequence[Any], here: Callable[[Any], Any]) -> list[Any]:
        """The result of each piece, in order: found here, or by a helper."""
        found: dict[int, Any] = {}
        self._pipe.send(Offer(len(pieces), pickle.dumps(list(pieces))))
        while len(found) < len(pieces):
            self._pipe.send(Take())
            told: Piece | Finished = self._pipe.recv()
            if isinstance(told, Piece):
                found[told.index] = here(pieces[told.index])
            else:
                found[told.index] = pickle.loads(told.result)
        return [found[index] for index in range(len(pieces))]


class Helper:
    """A worker's side of helping: `prepare` builds the trainer whose `work` does the pieces."""

    def __init__(self, pipe: Pipe, prepare: Callable[[TrainingSettings], Any]) -> None:
        self._pipe, self._prepare = pipe, prepare
        self._trainer: Any = None
        self._pieces: list[Any] = []

    def obey(self, told: Assist | Piece) -> None:
        """Do as told and say so."""
        if isinstance(told, Assist):
            self._trainer, self._pieces = None, []
            self._trainer = self._prepare(told.settings)
            self._pipe.send(Ready())
            return
        if told.pieces is not None:
            self._pieces = pickle.loads(told.pieces)
        result = self._trainer.work(self._pieces[told.index])
        self._pipe.send(Finished(told.index, pickle.dumps(result)))
