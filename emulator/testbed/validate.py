"""Compares simulated with measured durations, of messages and of a round."""

import json
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from emulator.common.text import printable
from emulator.common.units import format_rate, format_size
from emulator.testbed.cases import Case
from emulator.testbed.linux.run import LATE_S, Enacted, enact, enact_by_flower, repeat
from emulator.testbed.table import MAX_ROWS, grid_of


@dataclass(frozen=True, slots=True)
class Pair:
    """Simulated and measured seconds; `error` is positive if the simulation is slower."""

    simulated_s: float
    measured_s: float

    @property
    def error(self) -> float:
        """Simulated / measured - 1."""
        return self.simulated_s / self.measured_s - 1


@dataclass(frozen=True)
class Comparison:
    """A case and its measurements; measured values are medians over them."""

    case: Case
    enacted: Sequence[Enacted]
    discarded: int = 0  # other measurements, in which packets were later

    @property
    def transfers(self) -> list[Pair]:
        """The duration of each message, in the case's order."""
        simulated_s = [float(d.finish_s - d.start_s) for d in self.case.simulated]
        measured_s = map(statistics.median, self.durations_s())
        return [Pair(*both) for both in zip(simulated_s, measured_s, strict=True)]

    def durations_s(self) -> list[list[float]]:
        """Seconds of each message in each measurement."""
        runs = [[finish_s - start_s for start_s, finish_s in one.times] for one in self.enacted]
        return [list(took_s) for took_s in zip(*runs, strict=True)]

    @property
    def makespan(self) -> Pair:
        """Time from the common start to the last arrival."""
        ends_s = [max(finish_s for _, finish_s in one.times) for one in self.enacted]
        return Pair(self.case.makespan_s, statistics.median(ends_s))

    @property
    def mean(self) -> Pair:
        """The mean duration of a message."""
        pairs = [(pair.simulated_s, pair.measured_s) for pair in self.transfers]
        return Pair(*map(statistics.fmean, zip(*pairs, strict=True)))

    @property
    def mean_error(self) -> float:
        """Mean of the absolute errors of the transfers."""
        return statistics.fmean(abs(pair.error) for pair in self.transfers)

    @property
    def waiting_s(self) -> float | None:
        """What Flower waits beside the messages of a client, s: median; None without Flower."""
        known_s = [one.waiting_s for one in self.enacted if one.waiting_s is not None]
        return statistics.median(known_s) if known_s else None

    @property
    def late_s(self) -> float:
        """99th percentile of the lateness of packets, in the worst measurement, seconds."""
        return max(one.late_s for one in self.enacted)


def measure(
    cases: Sequence[Case], repeats: int, limit_s: float, say: Callable[[str], None]
) -> list[Comparison]:
    """Measures each case `repeats` times; more often if packets were late, up to `limit_s`.

    Raises SupportError, EmulationError.
    """
    spare_s = limit_s - sum(case.costs_s(repeats) for case in cases)
    comparisons: list[Comparison] = []
    for case in cases:
        say(f"{case.name}: {repeats} times {case.makespan_s:.1f} s")
        fair_s = spare_s / (len(cases) - len(comparisons))
        if case.arrays is not None:
            comparisons.append(_by_flower(case, case.arrays, repeats, fair_s))
            continue
        once = partial(enact, case.star, case.messages, case.congestion, case.makespan_s)
        runs, more = repeat(repeats, repeats + int(fair_s / case.cost_s), once)
        spare_s -= more * case.cost_s
        comparisons.append(Comparison(case, runs, more))
    return comparisons


def _by_flower(case: Case, arrays: int, repeats: int, spare_s: float) -> Comparison:
    """One deployment of Flower sends all repeats."""
    limit_s = case.costs_s(repeats) + spare_s
    found = enact_by_flower(
        case.star, case.messages, case.congestion, arrays, repeats, case.gap_s, limit_s
    )
    return Comparison(case, found)


def warning(comparison: Comparison, ceiling_Bps: float) -> str:
    """A warning about an unreliable comparison; empty if it is reliable."""
    if comparison.late_s <= LATE_S:
        return ""
    case = comparison.case
    return (
        f"{case.name}: measured times are too long: packets were {1e3 * comparison.late_s:.1f} ms "
        f"late. Links carry up to {format_rate(8 * case.at_once)} together, and this machine "
        f"forwarded {format_rate(8 * ceiling_Bps)} in a test: it is too slow, or busy"
    )


def tables(comparisons: Sequence[Comparison]) -> Group:
    """One table per case with one row per message; then one of all cases."""
    parts: list[Table | Text] = []
    for comparison in comparisons:
        case, count = comparison.case, len(comparison.enacted)
        disturbed = f" ({comparison.discarded} disturbed)" if comparison.discarded else ""
        title = f"{case.name}: round {case.round}, median of {count}{disturbed}"
        parts += [Text(title), _transfers(comparison), Text()]
    return Group(*parts, _summary(comparisons))


def to_json(comparisons: Sequence[Comparison], ceiling_Bps: float) -> str:
    """All comparisons and the machine, as JSON: the file validation.json."""
    whole = {
        "machine": {"kernel": platform.release(), "relay_ceiling_bps": round(8 * ceiling_Bps)},
        "cases": [_facts(comparison, ceiling_Bps) for comparison in comparisons],
    }
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _facts(comparison: Comparison, ceiling_Bps: float) -> dict[str, Any]:
    case = comparison.case
    transfers = zip(case.messages, comparison.transfers, comparison.durations_s(), strict=True)
    return {
        "method": case.method,
        "variant": case.variant,
        "seed": case.seed,
        "network_seed": case.network_seed,
        "round": case.round,
        "repeats": len(comparison.enacted),
        "discarded": comparison.discarded,
        **_whole(comparison),
        "mean": _pair(comparison.mean),
        "mean_absolute_error": comparison.mean_error,
        "relay_late_99_s": comparison.late_s,
        "warning": warning(comparison, ceiling_Bps),
        "transfers": [
            {
                "client": case.clients[message.client],
                "direction": message.direction,
                "nbytes": message.nbytes,
                **_pair(pair),
                "each_measured_s": took_s,
            }
            for message, pair, took_s in transfers
        ],
    }


def _whole(comparison: Comparison) -> dict[str, Any]:
    """The makespan; with Flower, whose rounds wait, instead how many arrays and how long."""
    if comparison.waiting_s is None:
        return {"makespan": _pair(comparison.makespan)}
    return {"arrays": comparison.case.arrays, "waiting_s": comparison.waiting_s}


def _pair(pair: Pair) -> dict[str, float]:
    return {**asdict(pair), "error": pair.error}


def _cells(pair: Pair) -> tuple[str, str, str]:
    return f"{pair.simulated_s:.4f}", f"{pair.measured_s:.4f}", f"{100 * pair.error:+.1f} %"


def _transfers(comparison: Comparison) -> Table:
    case = comparison.case
    grid = grid_of("client", "", "size", "simulated, s", "measured, s", "error")
    pairs = list(zip(case.messages, comparison.transfers, strict=True))
    for message, pair in pairs[:MAX_ROWS]:
        client, size = str(case.clients[message.client]), format_size(message.nbytes)
        grid.add_row(client, message.direction, size, *_cells(pair))
    if len(pairs) > MAX_ROWS:
        grid.caption = f"… and {len(pairs) - MAX_ROWS} more in validation.json"
    return grid


def _summary(comparisons: Sequence[Comparison]) -> Table:
    by_flower = any(comparison.waiting_s is not None for comparison in comparisons)
    first = "mean of a message, s" if by_flower else "makespan, s"
    columns = (first, "measured, s", "error", "mean |error|", *["Flower waits, s"] * by_flower)
    grid = grid_of(*columns, texts=("method", "variant"))
    for comparison in comparisons:
        case, waiting_s = comparison.case, comparison.waiting_s
        names = (Text(printable(name)) for name in (case.method, case.variant))
        pair = comparison.makespan if waiting_s is None else comparison.mean
        mean = f"{100 * comparison.mean_error:.1f} %"
        waits = [] if waiting_s is None else [f"{waiting_s:.1f}"]
        grid.add_row(*names, *_cells(pair), mean, *waits)
    return grid
