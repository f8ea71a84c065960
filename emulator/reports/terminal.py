"""Result tables for the terminal, 80 columns wide."""

from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from emulator.common.units import format_duration, format_score, format_size
from emulator.reports import findings, sweep_findings, tradeoffs, validation
from emulator.reports.run_report import Study, printable
from emulator.results.bottlenecks import bottleneck_shares
from emulator.results.metadata import ACCURACY, ended_early, incomplete
from emulator.results.metrics import Spread, Summary
from emulator.simulation.target import Goal

NEVER = "never"
SHOWN = 0.005  # a smaller share of the time is not told: it would be 0 %
NOT_SCORED = "none"  # in a message log without scores


def or_never(value: float | None, form: Callable[[float], str]) -> str:
    """Return `value` as text, or 'never'."""
    return NEVER if value is None else form(value)


def costs(summary: Summary) -> tuple[Spread, Spread, Spread, Spread]:
    """Return seconds, rounds, bytes down and up to the target, or of the run without a target."""
    if summary.target is None:
        return summary.duration_s, summary.rounds, summary.bytes_down, summary.bytes_up
    return (
        summary.time_to_target_s,
        summary.rounds_to_target,
        summary.bytes_down_to_target,
        summary.bytes_up_to_target,
    )


def time(summary: Summary) -> Spread:
    """Return the seconds of `costs`."""
    return costs(summary)[0]


def time_lines(summary: Summary) -> list[str]:
    """Return '4 min 05 s', then the range over seeds and how many reached the target."""
    low, median, high = (or_never(s, format_duration) for s in time(summary))
    lines = [median]
    if low != high:
        lines += [f"{low} –", high]
    if 0 < summary.reached < len(summary.seeds):
        lines.append(f"({summary.reached} of {len(summary.seeds)})")
    return lines


def time_text(summary: Summary) -> str:
    """Return '14.7 s (12.3 s to 17.2 s, 2 of 3)': a range only of seeds that differ."""
    low, median, high = (or_never(s, format_duration) for s in time(summary))
    partly = 0 < summary.reached < len(summary.seeds)
    reached = f", {summary.reached} of {len(summary.seeds)}" * partly
    return median if low == high else f"{median} ({low} to {high}{reached})"


def facts(summary: Summary) -> dict[str, str]:
    """Return medians of rounds, bytes and accuracies, as text by heading."""
    _, rounds, down, up = costs(summary)
    sizes = [or_never(size.median, format_size) for size in (down, up)]
    scored = {"final": summary.final_accuracy, "test": summary.test_accuracy}
    medians = {name: s.median for name, s in scored.items() if s}
    scores = {name: format_score(score) for name, score in medians.items() if score is not None}
    return {
        "rounds": or_never(rounds.median, "{:g}".format),
        "down / up": NEVER if down.median is None else " / ".join(sizes),
        " / ".join(scores) or "score": " / ".join(scores.values()) or NOT_SCORED,
    } | privacy_spent(summary)


def privacy_spent(summary: Summary) -> dict[str, str]:
    """Return median epsilons to the target and at the end, as in `facts`; empty without privacy."""
    if summary.epsilon is None or summary.epsilon_to_target is None:
        return {}
    end = or_never(summary.epsilon.median, "{:.3g}".format)
    if summary.target is None:
        return {"ε": end}
    return {"ε / end": f"{or_never(summary.epsilon_to_target.median, '{:.3g}'.format)} / {end}"}


def fastest(study: Study, variant: str) -> set[str]:
    """Return the methods with the least median time under `variant` that reached the target."""
    summaries = [study.summary(method, variant) for method in study.methods]
    times = {s.method: time(s).median for s in summaries if s}
    reached = {method: s for method, s in times.items() if s is not None}
    return {method for method, s in reached.items() if s == min(reached.values())}


def caption(study: Study) -> str:
    """Return the caption: target, split and statistic of the table."""
    over = findings.statistic(study, "median and range")
    splits = {"validation": "final_accuracy", "test": "test_accuracy"}
    scored = [
        split
        for split, name in splits.items()
        if any(getattr(outcome, name) is not None for outcome in study.outcomes)
    ]
    scores = (
        f"; {study.metric_told} after the last round, on {' / '.join(scored)}" if scored else ""
    )
    return (
        f"Simulated time to {study.goal}, {over}; rounds, and bytes down / up, until then{scores}. "
        f"Target measured on {study.measured}." + privacy_caption(study)
    )


def privacy_caption(study: Study) -> str:
    """Return the caption of epsilon; empty without differential privacy."""
    deltas = sorted({o.delta for o in study.outcomes if o.delta is not None})
    if not deltas:
        return ""
    at = ", ".join(f"{delta:g}" for delta in deltas)
    return f" ε is client-level, at δ = {at}, until the target and at the end of one training."


def missing(study: Study) -> str:
    """Return a note on simulations that are missing or ended early; empty without any."""
    whole = len(study.missing) + len(study.outcomes)
    return incomplete(study.missing, whole, study.failure) or ended_early(study.failure)


def explanations(study: Study) -> list[str]:
    """Return a line per variant: bottlenecks, wasted bytes, examples of excluded clients.

    A last line says that shares are of all methods and seeds together, if there are several. If
    variants learn differently, the line has the bottlenecks only, and the second table has the
    rest.
    """
    lines = []
    for variant in study.variants:
        outcomes = [o for o in study.outcomes if o.variant == variant]
        shares = bottleneck_shares(
            c for e, cs in study.bottlenecks.items() if e.variant == variant for c in cs
        )
        if not shares:
            continue
        told = ", ".join(f"{k} {share:.0%}" for k, share in shares.items() if share >= SHOWN)
        parts = [f"rounds waited for {told}"]
        if (wasted := tradeoffs.wasted_bytes(outcomes)) and not study.has_tradeoffs:
            parts.append(f"{wasted:.1%} of the bytes were wasted")
        excluded = tradeoffs.excluded_examples(outcomes)
        if excluded is not None and not study.has_tradeoffs:
            parts.append(f"{excluded:.0%} of the examples were excluded")
        lines.append(f"{variant}: {'; '.join(parts)}.")
    several = bool(lines) and len(study.outcomes) > len(study.variants)
    return lines + ["These shares are of all methods and seeds together."] * several


def method_lines(summaries: Sequence[Summary], metric: str = ACCURACY) -> list[str]:
    """Return one method as plain text: its name, then a line per variant; for unfinished runs."""
    lines = [printable(summaries[0].method)]
    width = max(len(summary.variant) for summary in summaries)
    for summary in summaries:
        rounds, sizes, accuracy, *spent = facts(summary).values()
        sizes = sizes.replace(" / ", " down, ") + " up"
        parts = [" ".join(time_lines(summary)), _rounds(rounds), sizes, f"{metric} {accuracy}"]
        if time(summary).median is None:
            goal = Goal(summary.target or 0.0, measure=summary.target_measure)
            parts = [f"{NEVER} reached {goal}", f"{metric} {accuracy}"]
        parts += [f"ε {text}" for text in spent]
        lines.append(f"  {printable(summary.variant):{width}}  {', '.join(parts)}")
    return lines


class Fitting:
    """Shows a table with a column per variant, or a turned one where it would break words.

    With many variants, columns would become one letter wide.
    """

    def __init__(self, wide: Table, turned: Table) -> None:
        self._wide, self._turned = wide, turned

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table that fits."""
        unbounded = options.update(width=10**6)
        needed = Measurement.get(console, unbounded, self._wide).minimum
        yield self._wide if needed <= options.max_width else self._turned


def table(study: Study) -> Group:
    """Return the table and its notes; the table has a column per variant, if they fit."""
    validated = validation.line(study.validations.values())
    compared = map(" ".join, tradeoffs.sentences(study)) if study.has_tradeoffs else ()
    remark = f"{study.remark}." if study.remark else ""
    told = (
        *sweep_findings.sentences(study),
        caption(study),
        findings.shown(study),
        findings.fallen(study),
        findings.on_test_split(study),
        remark,
        validated,
        *compared,
    )
    notes = [Text(note) for note in (*told, *explanations(study), missing(study)) if note]
    traded = Group(Text(), tradeoffs.table(study)) if study.has_tradeoffs else Group()
    return Group(Fitting(_wide(study), _turned(study)), traded, Text(), *notes)


def _turned(study: Study) -> Table:
    """A row per variant and method, grouped by variants; the fastest of a variant is bold."""
    found = [s for v in study.variants for m in study.methods if (s := study.summary(m, v))]
    headers = list(facts(found[0])) if found else []
    grid = Table(title=Text(study.name), box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("method", overflow="fold", min_width=14)
    for header in ("time", *headers):
        grid.add_column(header, justify="right")
    for variant in study.variants:
        grid.add_row(Text(variant, "underline"))
        leaders = fastest(study, variant)
        for method in study.methods:
            summary = study.summary(method, variant)
            if summary is None:
                grid.add_row(Text(f"  {method}"), Text("missing"))
                continue
            first, *rest = time_lines(summary)
            cell = Text.assemble((first, "bold" * (method in leaders)), " ".join(["", *rest]))
            grid.add_row(Text(f"  {method}"), cell, *facts(summary).values())
    return grid


def _wide(study: Study) -> Table:
    """A row per method, a column per variant; the fastest of a column is bold.

    Rounds, bytes and accuracy have their own columns if no variant changes them (as when only the
    network varies), and are in each variant's cell otherwise.
    """
    rows = {m: [study.summary(m, v) for v in study.variants] for m in study.methods}
    shared = all(len({str(facts(s)) for s in row if s}) <= 1 for row in rows.values())
    headers = next((list(facts(s)) for row in rows.values() for s in row if s), []) * shared
    grid = Table(
        title=Text(study.name),
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        leading=0 if shared else 1,
    )
    grid.add_column("method", overflow="fold", min_width=14)
    for variant in study.variants:
        grid.add_column(Text(variant), justify="right", overflow="fold")
    for header in headers:
        grid.add_column(_stacked(header), justify="right")
    leaders = {variant: fastest(study, variant) for variant in study.variants}
    for method, row in rows.items():
        cells = [
            _cell(summary, bold=method in leaders[variant], whole=not shared)
            for variant, summary in zip(study.variants, row, strict=True)
        ]
        known: dict[str, str] = next((facts(s) for s in row if s), {})
        grid.add_row(Text(method), *cells, *(_stacked(known.get(h, "")) for h in headers))
    return grid


def _rounds(number: str) -> str:
    return f"{number} round" if number == "1" else f"{number} rounds"


def _stacked(text: str) -> str:
    return text.replace(" / ", "\n")


def _cell(summary: Summary | None, *, bold: bool, whole: bool) -> Text:
    if summary is None:
        return Text("missing")
    first, *rest = time_lines(summary)
    # If the target was never reached, one 'never' stands for time, rounds and bytes.
    rounds, *others = list(facts(summary).values())[:3]
    others = [text for text in (_rounds(rounds), *others) if NEVER not in text]
    others += [f"ε {text}" for text in privacy_spent(summary).values()]
    lines = [f"\n{text}" for text in rest + others * whole]
    return Text.assemble((first, "bold" if bold else ""), *lines)
