"""Fits the compute time of a scenario to the seconds that a message log has.

A scenario draws one time per example for each client. Here a client's time per example is its
logged seconds divided by its logged examples, over all its answered visits. A law describes how
these times differ among clients; a table lists them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from emulator.common.distributions import (
    MAX_SIGMA,
    MAX_VALUES,
    Distribution,
    Empirical,
    Floats,
    LogNormal,
    quantile,
)
from emulator.common.errors import MessageLogError
from emulator.common.text import counted, printable
from emulator.integrations.message_log import MessageLog

Form = Literal["law", "table"]
SAME = 1e-9  # standard deviation of logarithms below which all clients are taken as equal
_NEEDED = "log both for each visit: see docs/reference/message_log.md"


class Timed(NamedTuple):
    """An answered visit with its seconds and its examples, which are above zero."""

    round: int
    client: str
    seconds: float
    examples: int


class Residual(NamedTuple):
    """Relative errors of the predicted seconds over all rounds: median, worst, and its round."""

    median: float
    worst: float
    round: int


@dataclass(frozen=True)
class Calibration:
    """A distribution of the seconds per example, and how well it predicts the seconds of rounds.

    `per_example` are the measured times of the clients, float64 [clients]. A predicted client has
    the quantile of `fitted` at its own rank among the clients. `mean` is about the mean of the
    seconds of a round's clients, `longest` about the largest of them.
    """

    fitted: Distribution
    per_example: Floats
    visits: int
    of_visits: int
    mean: Residual
    longest: Residual


def calibrate(log: MessageLog, form: Form) -> Calibration:
    """The calibration of a log. Raises MessageLogError if the log lacks what `form` needs."""
    answered = [visit for visit in log.visits if not visit.failed]
    visits = [
        Timed(visit.round, visit.client, visit.seconds, visit.examples)
        for visit in answered
        if visit.seconds is not None and visit.examples
    ]
    if not visits:
        seconds = sum(visit.seconds is not None for visit in answered)
        examples = sum(bool(visit.examples) for visit in answered)
        raise MessageLogError(
            f"{_name(log)}: found seconds in {seconds} and examples in {examples} of "
            f"{counted(len(answered), 'answered visit')}, and both in none; allowed: both in one "
            "or more",
            _NEEDED,
        )
    times = times_per_example(visits)
    measured = np.array(list(times.values()))
    if form == "law":
        _require_law(measured, log)
    fitted = law(measured) if form == "law" else table(measured)
    ranks = np.empty(len(measured))
    ranks[np.argsort(measured, kind="stable")] = np.arange(len(measured))
    predicted = dict(zip(times, quantile(fitted, (ranks + 0.5) / len(ranks)), strict=True))
    return Calibration(fitted, measured, len(visits), len(answered), *_residuals(visits, predicted))


def times_per_example(visits: Sequence[Timed]) -> dict[str, float]:
    """{client: its seconds per example}: the sum of its seconds by that of its examples."""
    seconds: dict[str, float] = {}
    examples: dict[str, int] = {}
    for visit in visits:
        seconds[visit.client] = seconds.get(visit.client, 0.0) + visit.seconds
        examples[visit.client] = examples.get(visit.client, 0) + visit.examples
    return {client: total / examples[client] for client, total in seconds.items()}


def law(times: Floats) -> Distribution:
    """The log-normal law of positive times, float64 [n]; a constant if they do not differ.

    The median is the maximum-likelihood estimate; sigma is the square root of the unbiased variance
    of the logarithms.
    """
    median, sigma = float(np.exp(np.log(times).mean())), _sigma(times)
    if sigma < SAME:
        return median
    return LogNormal[float](kind="lognormal", median=median, sigma=sigma)


def _sigma(times: Floats) -> float:
    return float(np.std(np.log(times), ddof=1)) if len(times) > 1 else 0.0


def table(times: Floats) -> Distribution:
    """The measured times as a distribution; of very many, those at even ranks."""
    ordered = np.sort(times)
    if len(ordered) > MAX_VALUES:
        middles = (np.arange(MAX_VALUES) + 0.5) / MAX_VALUES
        ordered = ordered[(middles * len(ordered)).astype(int)]
    return Empirical[float](kind="empirical", values=ordered.tolist())


def _require_law(times: Floats, log: MessageLog) -> None:
    """Raise MessageLogError for times that no log-normal law of a scenario describes."""
    table_hint = "write a table instead: --to table"
    if idle := int((times <= 0).sum()):
        raise MessageLogError(
            f"{_name(log)}: found {counted(idle, 'client')} whose training took 0 s; allowed for a "
            "law: times above 0",
            table_hint,
        )
    if (sigma := _sigma(times)) > MAX_SIGMA:
        raise MessageLogError(
            f"{_name(log)}: found times per example with sigma {sigma:.3g}; allowed for a law: a "
            f"sigma of at most {MAX_SIGMA}",
            table_hint,
        )


def _residuals(
    visits: Sequence[Timed], predicted: Mapping[str, float]
) -> tuple[Residual, Residual]:
    """The residuals of the mean and of the longest seconds of each round."""
    rounds: dict[int, list[tuple[float, float]]] = {}
    for visit in visits:
        pair = (visit.seconds, predicted[visit.client] * visit.examples)
        rounds.setdefault(visit.round, []).append(pair)
    pairs = {number: np.array(each) for number, each in sorted(rounds.items())}
    means = {number: each.mean(axis=0) for number, each in pairs.items()}
    largest = {number: each.max(axis=0) for number, each in pairs.items()}
    return _residual(means), _residual(largest)


def _residual(rounds: Mapping[int, Floats]) -> Residual:
    """The residual of {round: (logged, predicted)}."""
    logged, predicted = np.array(list(rounds.values())).T
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.abs(predicted / logged - 1)
    errors[predicted == logged] = 0.0  # also of 0 s
    worst = int(errors.argmax())
    return Residual(float(np.median(errors)), float(errors[worst]), list(rounds)[worst])


def _name(log: MessageLog) -> str:
    return printable(str(log.path))


def section(found: Calibration, log: MessageLog) -> str:
    """The section `compute` of a scenario as YAML; comments say what it was fitted to."""
    comments = "".join(f"# {line}\n" for line in summary(found, log))
    return f"{comments}compute:\n  per_example: {_yaml(found.fitted)}\n"


def summary(found: Calibration, log: MessageLog) -> Iterator[str]:
    """Lines about the measured times and the residual."""
    low, middle, high = np.quantile(found.per_example, [0.1, 0.5, 0.9])
    clients = counted(len(found.per_example), "client")
    yield (
        f"{_name(log)}: time per example of {clients}, from {found.visits} of "
        f"{counted(found.of_visits, 'answered visit')}"
    )
    yield (
        f"measured: median {_duration(middle, 3)}, from {_duration(low, 3)} (10 %) to "
        f"{_duration(high, 3)} (90 %)"
    )
    for what, of in (("mean", found.mean), ("longest", found.longest)):
        yield (
            f"residual of the {what} seconds per round: median {100 * of.median:.1f} %, "
            f"worst {100 * of.worst:.1f} % (round {of.round})"
        )


def _yaml(fitted: Distribution) -> str:
    match fitted:
        case LogNormal():
            median = _duration(fitted.median)
            return f"{{kind: lognormal, median: {median}, sigma: {fitted.sigma:.6g}}}"
        case Empirical():
            return f"{{kind: empirical, values: [{', '.join(map(_duration, fitted.values))}]}}"
        case _:
            return _duration(float(fitted))  # type: ignore[arg-type]  # `law` makes no others


def _duration(seconds: float, digits: int = 6) -> str:
    """A duration as scenarios have it, with a given number of digits."""
    return f"{seconds:.{digits}g} s" if seconds >= 1 else f"{1e3 * seconds:.{digits}g} ms"
