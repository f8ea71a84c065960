"""A strategy of Flower's legacy API that writes a message log of what another one sends."""

import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from flwr.server.strategy import Strategy
from typing_extensions import override

from emulator.integrations.flower.contents import config_bytes, opened
from emulator.integrations.message_log.rounds import TRAIN, Request


class StrategyRecorder(Strategy):  # type: ignore[misc]  # mypy does not follow flwr
    """Passes each call on to `strategy` and writes a log of the messages to `path`.

    The calls `fit` of clients are visits, the calls `evaluate` are untimed lines. The score of a
    round is the metric that `evaluate` returns, or else `aggregate_evaluate`. Raises
    MessageLogError if `path` exists.
    """

    def __init__(
        self,
        strategy: Any,
        path: str | Path,
        *,
        run: str | None = None,
        method: str | None = None,
        clients: int | None = None,
        metric: str = "accuracy",
        direction: Literal["higher", "lower"] = "higher",
        target: float | None = None,
        seed: int = 0,
        seconds_key: str | None = None,
        examples_key: str | None = None,
    ) -> None:
        """Begin the log: see `Recorder`.

        `seconds_key` and `examples_key` are metrics in the answers of `fit`: the seconds of the
        local training, and the examples trained on.
        """
        self._strategy = strategy
        self._log = opened(
            path, run, method,
            clients=clients, metric=metric, direction=direction, target=target, seed=seed,
        )  # fmt: skip
        self._end = weakref.finalize(self, self._log.close)
        self._metric = metric
        self._keys = (seconds_key, examples_key)
        self._open: dict[tuple[str, str], Request] = {}  # by purpose and client

    def close(self) -> None:
        """Write the requests without an answer as failed, and close the log.

        The recorder does so itself when the program ends, or when nothing refers to it any more.
        """
        self._end()

    @override
    def initialize_parameters(self, client_manager: Any) -> Any:
        return self._strategy.initialize_parameters(client_manager)

    @override
    def configure_fit(self, server_round: int, parameters: Any, client_manager: Any) -> Any:
        found = self._strategy.configure_fit(server_round, parameters, client_manager)
        return self._asked(found, TRAIN, server_round)

    @override
    def aggregate_fit(self, server_round: int, results: Any, failures: Any) -> Any:
        self._answered(results, TRAIN)
        return self._strategy.aggregate_fit(server_round, results, failures)

    @override
    def configure_evaluate(self, server_round: int, parameters: Any, client_manager: Any) -> Any:
        found = self._strategy.configure_evaluate(server_round, parameters, client_manager)
        return self._asked(found, "evaluate", server_round)

    @override
    def aggregate_evaluate(self, server_round: int, results: Any, failures: Any) -> Any:
        self._answered(results, "evaluate")
        found = self._strategy.aggregate_evaluate(server_round, results, failures)
        self._note_score(*found)
        return found

    @override
    def evaluate(self, server_round: int, parameters: Any) -> Any:
        found = self._strategy.evaluate(server_round, parameters)
        if found is not None:
            self._note_score(*found)
        return found

    def __getattr__(self, name: str) -> Any:
        if name == "_strategy":  # not set yet: a copy or an unpickled recorder
            raise AttributeError(name)
        return getattr(self._strategy, name)

    def _asked(self, messages: Iterable[Any], purpose: str, server_round: int) -> list[Any]:
        """The pairs of a client and its message, which are noted as requests."""
        asked = list(messages or ())
        for proxy, message in asked:
            self._open[purpose, proxy.cid] = self._log.request(
                proxy.cid,
                _parameter_bytes(message.parameters) + config_bytes(message.config),
                purpose=purpose,
                label=str(server_round),
            )
        return asked

    def _answered(self, results: Sequence[Any], purpose: str) -> None:
        """Write the lines of the answers, and of the clients that gave none."""
        for proxy, answer in results:
            request = self._open.pop((purpose, proxy.cid), None)
            if request is None:
                continue
            seconds, examples = (_number(answer.metrics, key) for key in self._keys)
            self._log.answer(
                request,
                _parameter_bytes(getattr(answer, "parameters", None))
                + config_bytes(answer.metrics),
                seconds=seconds,
                examples=None if examples is None else int(examples),
            )
        for key in [key for key in self._open if key[0] == purpose]:
            self._log.failure(self._open.pop(key))

    def _note_score(self, loss: float | None, metrics: Mapping[str, Any]) -> None:
        named = {"loss": loss} | dict(metrics)  # the metric may be the loss itself
        if (value := named.get(self._metric)) is not None:
            self._log.score(float(value), loss=loss)


def _parameter_bytes(parameters: Any) -> int:
    """The bytes of all tensors; 0 for None, an answer that has no parameters."""
    return sum(map(len, parameters.tensors)) if parameters is not None else 0


def _number(metrics: Mapping[str, Any], key: str | None) -> float | None:
    return metrics.get(key) if key is not None else None
