"""Faster, but at what accuracy, and who paid? Where variants learn differently, a row each."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from emulator.common.units import format_duration
from emulator.reports.run_report import Study
from emulator.results.equal_time import at_equal_time
from emulator.results.metrics import Outcome, Spread, spread
from emulator.simulation.records import Emulation

TOO_EARLY = "too early"  # to have been scored


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """What one method got under one variant, and for what; None: not known.

    Order statistics over seeds; `equal_time` is None where some seed had not been scored by then.
    Shares are of all seeds together. `served` is the accuracy for clients that were heard and for
    those that never were, means over the seeds that have both.
    """

    ended_s: Spread
    accuracy: Spread
    equal_time: Spread | None
    wasted_bytes: float
    wasted_compute: float | None
    unheard: float | None
    served: tuple[float, float] | None


def tradeoff(study: Study, method: str, variant: str, among: Collection[str]) -> Tradeoff | None:
    """None where nothing was emulated. Equal time is when the first variant `among` these ended."""
    outcomes = study.of(method, variant)
    if not outcomes:
        return None
    then = at_equal_time(
        {e: c for e, c in study.curves.items() if e.method == method and e.variant in among}
    )
    scores = [then[key(o)] for o in outcomes]
    known = [score for score in scores if score is not None]
    return Tradeoff(
        spread(o.duration_s for o in outcomes),
        spread(o.final_accuracy for o in outcomes),
        spread(known) if len(known) == len(scores) else None,
        wasted_bytes(outcomes),
        wasted_compute(study, outcomes),
        unheard(outcomes),
        served(outcomes),
    )


def key(outcome: Outcome) -> Emulation:
    """The emulation that it is of."""
    return Emulation(outcome.method, outcome.variant, outcome.seed)


def wasted_bytes(outcomes: list[Outcome]) -> float:
    """Share of the bytes that led to nothing."""
    moved = sum(o.bytes_down + o.bytes_up for o in outcomes)
    return sum(o.wasted_bytes_down + o.wasted_bytes_up for o in outcomes) / moved if moved else 0.0


def wasted_compute(study: Study, outcomes: list[Outcome]) -> float | None:
    """Share of the seconds of compute; None where nobody computed, or it is not known."""
    groups = [group for o in outcomes for group in study.groups.get(key(o), ())]
    spent_s = sum(group.compute_s * group.visits for group in groups)
    return sum(o.wasted_compute_s for o in outcomes) / spent_s if spent_s else None


def unheard(outcomes: list[Outcome]) -> float | None:
    """Share of the examples that were never heard, the mean over seeds; None: not recorded."""
    known = [o.unheard_examples for o in outcomes if o.unheard_examples is not None]
    return sum(known) / len(known) if known else None


def served(outcomes: list[Outcome]) -> tuple[float, float] | None:
    """Accuracy on data like that of clients heard, and never heard; None: not recorded."""
    both = [
        (o.heard_accuracy, o.unheard_accuracy)
        for o in outcomes
        if o.heard_accuracy is not None and o.unheard_accuracy is not None
    ]
    heard, never = (list(scores) for scores in zip(*both, strict=True)) if both else ([], [])
    return (sum(heard) / len(heard), sum(never) / len(never)) if both else None


def sentences(study: Study) -> Iterator[tuple[str, str]]:
    """What a variant brings against the first one, and who paid; least to most over methods."""
    first, *others = study.variants
    for variant in others:
        two = (first, variant)
        pairs = [[tradeoff(study, m, v, two) for v in two] for m in study.methods]
        both = [(a, b) for a, b in pairs if a and b]
        if not both:
            continue
        ratios = [_middle(b.ended_s) / _middle(a.ended_s) for a, b in both if _middle(a.ended_s)]
        gains = [_middle(b.accuracy) - _middle(a.accuracy) for a, b in both]
        then = [
            _middle(b.equal_time) - _middle(a.equal_time)
            for a, b in both
            if a.equal_time and b.equal_time
        ]
        parts = [f"ends after {_span(ratios, percent)} of the time"] if ratios else []
        parts += [f"{study.metric} {_span(gains, _gain)} at the end"]
        parts += [f"{_span(then, _gain)} when the sooner ended"] if then else []
        whom = "; ".join(_paid([a for a, _ in both], [b for _, b in both], study.metric))
        yield f"{variant}, against {first}: {', '.join(parts)}.", _sentence(whom)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _span(values: Sequence[float], form: Callable[[float], str]) -> str:
    low, high = form(min(values)), form(max(values))
    return low if low == high else f"{low} to {high}"


def _gain(difference: float) -> str:
    return f"{difference:+.3f}"


def _paid(before: list[Tradeoff], after: list[Tradeoff], metric: str) -> Iterator[str]:
    """What was done in vain and who was never heard, and how it was before."""
    says: dict[str, Callable[[Tradeoff], float | None]] = {
        "of the bytes wasted": lambda p: p.wasted_bytes,
        "of the compute wasted": lambda p: p.wasted_compute,
        "of the examples excluded": lambda p: p.unheard,
    }
    for what, of in says.items():
        old, new = ([s for p in prices if (s := of(p)) is not None] for prices in (before, after))
        if not old or not new:
            continue
        was, now = _span(old, percent), _span(new, percent)
        if (was, now) != ("0 %", "0 %"):
            yield f"{now} {what}" + (f" instead of {was}" if was != now else "")

    less = [never - heard for heard, never in (p.served for p in after if p.served)]
    if less:
        yield f"{metric} {_span(less, _gain)} on data like theirs, compared with data of the included clients"


def _middle(found: Spread) -> float:
    assert found.median is not None, "all seeds have a value"
    return found.median


def table(study: Study) -> Table:
    """A row a variant under the name of its method."""
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("", overflow="fold", min_width=14)
    heads = ("ended", f"{study.metric}\nat the end", "at equal\ntime", "bytes\nwasted",
             "compute\nwasted", "examples\nexcluded")  # fmt: skip
    prices = {
        (m, v): found
        for m in study.methods
        for v in study.variants
        if (found := tradeoff(study, m, v, study.variants))
    }
    computed = any(found.wasted_compute is not None for found in prices.values())
    for head in heads:
        if computed or not head.startswith("compute"):
            grid.add_column(head, justify="right")
    for method in study.methods:
        grid.add_row(Text(method, "bold"))
        for variant in study.variants:
            if found := prices.get((method, variant)):
                cells = [
                    _said(found.ended_s.median, format_duration),
                    _said(found.accuracy.median, "{:.3f}".format),
                    at_equal(found),
                    _said(found.wasted_bytes, percent),
                    *([_said(found.wasted_compute, percent)] if computed else []),
                    _said(found.unheard, percent),
                ]
                grid.add_row(Text(f"  {variant}"), *cells)
    return grid


def at_equal(found: Tradeoff) -> str:
    """The accuracy at equal time, as text."""
    return _said(found.equal_time.median, "{:.3f}".format) if found.equal_time else TOO_EARLY


def percent(share: float) -> str:
    """0.123 as '12 %'."""
    return f"{100 * share:.0f} %"


def _said(value: float | None, form: Callable[[float], str]) -> str:
    return "" if value is None else form(value)
