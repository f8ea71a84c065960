"""Writes a message log from requests and answers as a framework sends them, and numbers the rounds.

A request becomes a visit when it is answered or has failed, so a visit is one line of the log. If
the program is killed, the log lacks the requests that were open.
"""

from dataclasses import dataclass
from math import isfinite

from emulator.integrations.message_log.records import MOST_VALUE
from emulator.integrations.message_log.writer import Writer

TRAIN = "train"


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One message to a client. A `purpose` other than TRAIN makes an untimed line."""

    round: int
    client: str
    purpose: str
    nbytes: int


class RoundWriter:
    """Requests to clients, their answers and scores, as the lines of a log.

    A round begins with a request to train whose `label` (the round's name in the framework) differs
    from the last one, or whose client has been asked to train in this round before. Without labels,
    a round begins with the first request after an answer or a failure. Rounds are numbered from 1
    on, whatever their labels are.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._open: dict[Request, None] = {}  # in the order of the requests
        self._round = 0
        self._label: str | None = None
        self._asked: set[str] = set()  # the clients of the round
        self._answered = False  # whether the round has an answer or a failure
        self._scored = -1  # the last round with a score
        self._programmed = False  # whether the log says how messages are sent
        self._partitions: set[str] = set()  # the clients whose partition is written

    def request(
        self, client: int | str, nbytes: int, *, purpose: str = TRAIN, label: str | None = None
    ) -> Request:
        """Note a message of `nbytes` to a client."""
        if purpose == TRAIN:
            self._enter_round(str(client), label)
        made = Request(self._round, str(client), purpose, nbytes)
        self._open[made] = None
        return made

    def answer(
        self,
        request: Request,
        nbytes: int,
        *,
        seconds: float | None = None,
        examples: int | None = None,
        partition: int | None = None,
    ) -> None:
        """Write the line of a request that was answered with `nbytes`."""
        if partition is not None and request.client not in self._partitions:
            self._writer.client(request.client, partition=partition)
            self._partitions.add(request.client)
        self._end(request, nbytes, seconds, examples, failed=False)

    def failure(self, request: Request, nbytes: int = 0) -> None:
        """Write the line of a request that got no answer, or an error of `nbytes`."""
        self._end(request, nbytes, None, None, failed=True)

    def score(self, value: float, *, loss: float | None = None) -> None:
        """Write the score of the model after the last round; only the first one of a round.

        A loss that is not a number of 0 or more, as after a divergence, is left out; so is a value
        that is not finite, with its score.
        """
        if self._scored != self._round and abs(value) <= MOST_VALUE:
            usable = loss is not None and isfinite(loss) and loss >= 0
            self._writer.score(self._round, value, loss=loss if usable else None)
            self._scored = self._round

    def program(self, preset: str, arrays: int) -> None:
        """Write how messages are sent, with so many arrays each; only the first time."""
        if not self._programmed:
            self._writer.program(preset=preset, arrays=arrays)
            self._programmed = True

    def close(self) -> None:
        """Write the open requests as failures and close the file."""
        for each in list(self._open):
            self.failure(each)
        self._writer.close()

    def _enter_round(self, client: str, label: str | None) -> None:
        begins = self._answered if label is None else label != self._label
        if not self._round or begins or client in self._asked:
            if begins and not self._answered:
                self._fail_round()
            self._round += 1
            self._asked, self._answered = set(), False
        self._label = label
        self._asked.add(client)

    def _fail_round(self) -> None:
        """Write a round without any answer as failed: each round of a log has a visit."""
        for each in list(self._open):
            if each.purpose == TRAIN and each.round == self._round:
                self.failure(each)

    def _end(
        self,
        request: Request,
        nbytes: int,
        seconds: float | None,
        examples: int | None,
        *,
        failed: bool,
    ) -> None:
        if request not in self._open:
            return  # a late answer to a request that has failed
        del self._open[request]
        if request.purpose != TRAIN:
            self._writer.untimed(
                request.round, request.client,
                bytes_down=request.nbytes, bytes_up=nbytes, purpose=request.purpose,
            )  # fmt: skip
            return
        self._answered |= request.round == self._round
        self._writer.visit(
            request.round, request.client,
            bytes_down=request.nbytes, bytes_up=nbytes,
            seconds=seconds, examples=examples, failed=failed,
        )  # fmt: skip
