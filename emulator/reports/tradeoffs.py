"""Time, accuracy, wasted work and excluded clients of variants that learn differently."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from emulator.common.units import format_duration, format_score
from emulator.reports.findings import over_variant
from emulator.reports.run_report import Study
from emulator.results.equal_time import at_equal_time
from emulator.results.metrics import Outcome, Spread, spread

TOO_EARLY = "too early"  # no evaluation yet


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """Accuracy and cost of one method under one variant; None: not known.

    Order statistics over seeds; `equal_time` is None if a seed had no evaluation by then. Shares
    are of all seeds together. `accuracies` are for data like that of included and of excluded
    clients, means over the seeds that have both.
    """

    ended_s: Spread
    accuracy: Spread
    equal_time: Spread | None
    wasted_bytes: float
    wasted_compute: float | None
    excluded: float | None
    accuracies: tuple[float, float] | None


def tradeoff(study: Study, method: str, variant: str, among: Collection[str]) -> Tradeoff | None:
    """Return the tradeoff, or None without simulations.

    Equal time is when the first variant of `among` ended.
    """
    outcomes = study.of(method, variant)
    if not outcomes:
        return None
    then = at_equal_time(
        {e: c for e, c in study.curves.items() if e.method == method and e.variant in among}
    )
    scores = [then[o.emulation] for o in outcomes]
    known = [score for score in scores if score is not None]
    return Tradeoff(
        spread(o.duration_s for o in outcomes),
        spread(o.final_accuracy for o in outcomes),
        spread(known) if len(known) == len(scores) else None,
        wasted_bytes(outcomes),
        _wasted_compute(study, outcomes),
        excluded_examples(outcomes),
        _accuracies(outcomes),
    )


def wasted_bytes(outcomes: Sequence[Outcome]) -> float:
    """Return the share of the bytes that was wasted."""
    moved = sum(o.bytes_down + o.bytes_up for o in outcomes)
    return sum(o.wasted_bytes_down + o.wasted_bytes_up for o in outcomes) / moved if moved else 0.0


def _wasted_compute(study: Study, outcomes: list[Outcome]) -> float | None:
    groups = [group for o in outcomes for group in study.groups.get(o.emulation, ())]
    spent_s = sum(group.compute_s * group.visits for group in groups)
    return sum(o.wasted_compute_s for o in outcomes) / spent_s if spent_s else None


def excluded_examples(outcomes: Sequence[Outcome]) -> float | None:
    """Return the share of examples of excluded clients, mean over seeds; None: not recorded."""
    known = [o.unheard_examples for o in outcomes if o.unheard_examples is not None]
    return sum(known) / len(known) if known else None


def _accuracies(outcomes: list[Outcome]) -> tuple[float, float] | None:
    both = [
        (o.heard_accuracy, o.unheard_accuracy)
        for o in outcomes
        if o.heard_accuracy is not None and o.unheard_accuracy is not None
    ]
    if not both:
        return None
    included, excluded = zip(*both, strict=True)
    return sum(included) / len(both), sum(excluded) / len(both)


def sentences(study: Study) -> Iterator[tuple[str, str]]:
    """Yield a sentence on time and accuracy of each variant, and one on wasted work and exclusion.

    Each compares the variant with the first one; ranges are over methods.
    """
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
        whose = over_variant(study, "median", variant)
        parts = [f"ends after {_span(ratios, percent)} of the time"] if ratios else []
        parts += [f"{study.metric} {_span(gains, _gain)} at the end"]
        parts += [f"{_span(then, _gain)} at equal time"] if then else []
        paid = "; ".join(_paid([a for a, _ in both], [b for _, b in both], study.metric))
        yield f"{variant}, against {first} ({whose}): {', '.join(parts)}.", _sentence(paid)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _span(values: Sequence[float], form: Callable[[float], str]) -> str:
    low, high = form(min(values)), form(max(values))
    return low if low == high else f"{low} to {high}"


def _gain(difference: float) -> str:
    return format_score(difference, "+")


def _paid(before: list[Tradeoff], after: list[Tradeoff], metric: str) -> Iterator[str]:
    says: dict[str, Callable[[Tradeoff], float | None]] = {
        "of the bytes are wasted": lambda p: p.wasted_bytes,
        "of the compute is wasted": lambda p: p.wasted_compute,
        "of the examples are excluded": lambda p: p.excluded,
    }
    for what, of in says.items():
        old, new = ([s for p in each if (s := of(p)) is not None] for each in (before, after))
        if not old or not new:
            continue
        was, now = _span(old, percent), _span(new, percent)
        if (was, now) != ("0 %", "0 %"):
            yield f"{now} {what}" + (f" instead of {was}" if was != now else "")
    gaps = [own - others for others, own in (p.accuracies for p in after if p.accuracies)]
    if gaps:
        yield f"{metric} on data of excluded minus included clients: {_span(gaps, _gain)}"


def _middle(found: Spread) -> float:
    assert found.median is not None, "all seeds have a value"
    return found.median


def table(study: Study) -> Table:
    """Return the table: a row per variant under the name of its method."""
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("", overflow="fold", min_width=14)
    heads = ("ended", f"{study.metric}\nat the end", "at equal\ntime", "bytes\nwasted",
             "compute\nwasted", "examples\nexcluded")  # fmt: skip
    tradeoffs = {
        (m, v): found
        for m in study.methods
        for v in study.variants
        if (found := tradeoff(study, m, v, study.variants))
    }
    computed = any(found.wasted_compute is not None for found in tradeoffs.values())
    for head in heads:
        if computed or not head.startswith("compute"):
            grid.add_column(head, justify="right")
    for method in study.methods:
        grid.add_row(Text(method, "bold"))
        for variant in study.variants:
            if found := tradeoffs.get((method, variant)):
                cells = [
                    or_blank(found.ended_s.median, format_duration),
                    or_blank(found.accuracy.median, format_score),
                    at_equal(found),
                    or_blank(found.wasted_bytes, percent),
                    *([or_blank(found.wasted_compute, percent)] if computed else []),
                    or_blank(found.excluded, percent),
                ]
                grid.add_row(Text(f"  {variant}"), *cells)
    return grid


def at_equal(found: Tradeoff) -> str:
    """Return the accuracy at equal time, as text."""
    return or_blank(found.equal_time.median, format_score) if found.equal_time else TOO_EARLY


def percent(share: float) -> str:
    """Return 0.123 as '12 %'."""
    return f"{100 * share:.0f} %"


def or_blank(value: float | None, form: Callable[[float], str]) -> str:
    """Return `value` as text; empty for None."""
    return "" if value is None else form(value)
