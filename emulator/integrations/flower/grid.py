"""A Grid that writes a message log of what passes through it."""

import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, ParamSpec

from flwr.serverapp import Grid
from typing_extensions import override

from emulator.integrations.flower.contents import (
    arrays_in,
    message_bytes,
    metric_in,
    name_of,
    opened,
    purpose_of,
    round_label,
    score_in,
    take_notes,
)
from emulator.integrations.message_log.rounds import TRAIN, Request

PRESET = "flower"  # of network.application

P = ParamSpec("P")


class Recorder(Grid):  # type: ignore[misc]  # mypy does not follow flwr
    """Passes each call on to `grid` and writes a log of the messages to `path`.

    The log says that Flower sends the messages, in as many arrays as the first one to train has.
    Requests to train are visits; evaluations and queries are written apart, as untimed lines. A
    request without an answer is written as failed. Raises MessageLogError if `path` exists.
    """

    def __init__(
        self,
        grid: Any,
        path: str | Path,
        *,
        run: str | None = None,
        method: str | None = None,
        clients: int | None = None,
        metric: str = "accuracy",
        direction: Literal["higher", "lower"] = "higher",
        target: float | None = None,
        seed: int = 0,
        examples_key: str | None = None,
    ) -> None:
        """Begin the log: see `Header`. Run and method are named after the file by default.

        `examples_key` is the metric in answers that counts the examples trained on, each once per
        epoch; without it the log has no examples.
        """
        self._grid = grid
        self._log = opened(
            path, run, method,
            clients=clients, metric=metric, direction=direction, target=target, seed=seed,
        )  # fmt: skip
        self._end = weakref.finalize(self, self._log.close)
        self._metric, self._examples_key = metric, examples_key
        self._open: dict[str, Request] = {}  # requests without an answer, by message

    def scored(self, function: Callable[P, Any]) -> Callable[P, Any]:
        """`function`, whose metrics are also written as the score after the last round.

        It returns a MetricRecord or None, as `evaluate_fn` and `evaluate_metrics_aggr_fn` do.
        """

        @wraps(function)
        def scoring(*args: P.args, **kwargs: P.kwargs) -> Any:
            metrics = function(*args, **kwargs)
            if metrics is not None:
                value = score_in(metrics, self._metric, name_of(function))
                self._log.score(value, loss=metrics.get("loss"))
            return metrics

        return scoring

    def close(self) -> None:
        """Write the requests without an answer as failed, and close the log.

        The recorder does so itself when the program ends, or when nothing refers to it any more.
        """
        self._end()

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @override
    def send_and_receive(
        self, messages: Iterable[Any], *, timeout: float | None = None
    ) -> Iterable[Any]:
        sent, requests = self._note_requests(messages)
        answers = list(self._grid.send_and_receive(sent, timeout=timeout))
        asked = self._keep_open(sent, requests)
        for each in answers:
            self._note_answer(each)
        for left in [key for key in asked if key in self._open]:
            self._log.failure(self._open.pop(left))
        return answers

    @override
    def push_messages(self, messages: Iterable[Any]) -> Iterable[str]:
        sent, requests = self._note_requests(messages)
        ids = list(self._grid.push_messages(sent))
        self._keep_open(sent, requests)
        return ids

    @override
    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Any]:
        answers = list(self._grid.pull_messages(message_ids))
        for each in answers:
            self._note_answer(each)
        return answers

    @override
    def set_run(self, run: Any) -> None:
        self._grid.set_run(run)

    @property
    @override
    def run(self) -> Any:
        return self._grid.run

    @override
    def create_message(self, *args: Any, **kwargs: Any) -> Any:
        return self._grid.create_message(*args, **kwargs)

    @override
    def get_node_ids(self) -> Iterable[int]:
        found: Iterable[int] = self._grid.get_node_ids()
        return found

    @override
    def get_nodes(self) -> Iterable[Any]:
        found: Iterable[Any] = self._grid.get_nodes()
        return found

    def __getattr__(self, name: str) -> Any:
        if name == "_grid":  # not set yet: a copy or an unpickled recorder
            raise AttributeError(name)
        return getattr(self._grid, name)

    def _note_requests(self, messages: Iterable[Any]) -> tuple[list[Any], list[Request]]:
        """The messages as a list, and a request for each of them."""
        sent = list(messages)
        for each in sent:
            if purpose_of(each) == TRAIN:
                self._log.program(PRESET, arrays_in(each))
        requests = [
            self._log.request(
                each.metadata.dst_node_id,
                message_bytes(each),
                purpose=purpose_of(each),
                label=round_label(each),
            )
            for each in sent
        ]
        return sent, requests

    def _keep_open(self, sent: Sequence[Any], requests: Sequence[Request]) -> list[str]:
        """Keep the requests by message, in order. A message gets its id when it is sent."""
        keys = [_key(each.metadata.message_id, each.metadata.dst_node_id) for each in sent]
        self._open.update(zip(keys, requests, strict=True))
        return keys

    def _note_answer(self, answer: Any) -> None:
        """Write the line of the request that `answer` answers."""
        notes = take_notes(answer)
        key = _key(answer.metadata.reply_to_message_id, answer.metadata.src_node_id)
        request = self._open.pop(key, None)
        if request is None:
            return  # a late answer to a request that has failed
        if answer.has_error():
            self._log.failure(request)
            return
        examples = metric_in(answer, self._examples_key)
        self._log.answer(
            request,
            message_bytes(answer),
            seconds=notes.seconds,
            examples=None if examples is None else int(examples),
            partition=notes.partition,
        )


def _key(message_id: str, client: int) -> str:
    """The id of a message; that of the client for a Grid that gives messages no ids."""
    return message_id or f"client {client}"
