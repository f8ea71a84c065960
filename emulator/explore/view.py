"""What the page shows of results: a sentence, a table, two figures for plotly.js, and notes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from emulator.common.units import format_duration, format_score, format_size
from emulator.explore.form import Explored
from emulator.explore.replays import Run
from emulator.explore.workers import Result
from emulator.reports import findings
from emulator.reports.plot_style import colour, unit
from emulator.reports.run_report import Study, printable
from emulator.reports.terminal import NOT_SCORED, costs, fastest, or_never, time, time_text
from emulator.results.metrics import Curve, Outcome, Summary
from emulator.results.summary_file import Measured
from emulator.results.target_sweep import target_times
from emulator.simulation.records import Emulation
from emulator.simulation.target import Goal
from flasc.common.errors import UserError

NOW = "these settings"
# plotly.js reads some tags and entities, and $...$ as mathematics.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"})
_EMPTY = {"data": [], "layout": {"height": 120}}
_DASHES = ("dash", "dot", "dashdot", "longdash")


@dataclass(frozen=True)
class Shown:
    """A scenario of the page with its label, and its results so far."""

    label: str
    explored: Explored
    results: Mapping[Run, Result]


def view(shown: Sequence[Shown], goal: Goal | None) -> dict[str, Any]:
    """The page's view of scenarios; the last one is that of the form, whose goal is used."""
    study = _study(shown, goal)
    return {
        "answer": findings.headline(study) if study.outcomes else "There are no results.",
        "notes": _notes(shown),
        "table": _table(study),
        "times": _bars(study) if study.outcomes else _EMPTY,
        "curves": _curves(study) if study.outcomes else _EMPTY,
    }


def _study(shown: Sequence[Shown], goal: Goal | None) -> Study:
    """The results as a report's study: a variant per scenario."""
    scenario = shown[-1].explored.scenario
    curves: dict[Emulation, Curve] = {}
    outcomes: dict[Emulation, Outcome] = {}
    for each in shown:
        for run, found in each.results.items():
            if isinstance(found, Measured):
                who = run.emulation(printable(each.label))._replace(method=printable(run.method))
                named = replace(found.outcome, method=who.method, variant=who.variant)
                curves[who], outcomes[who] = found.curve, _aimed(named, found.curve, goal)
    methods = [printable(name) for name in shown[-1].explored.study.methods]
    examples = scenario.training.evaluation.examples
    return Study(
        name=scenario.name,
        target=goal,
        split=f"validation, first {examples} examples" if examples else "validation",
        scenario="",
        provenance="",
        methods=tuple(m for m in methods if any(who.method == m for who in outcomes)),
        variants=tuple(dict.fromkeys(printable(each.label) for each in shown)),
        outcomes=tuple(sorted(outcomes.values(), key=lambda o: methods.index(o.method))),
        curves=curves,
        missing=(),
        timelines={},
        densities={},
        fleet={},
        metric=printable(scenario.task.metric),
        metric_measure=scenario.metric_measure,
    )


def _aimed(found: Outcome, scores: Curve, goal: Goal | None) -> Outcome:
    """The outcome with its costs to `goal`."""
    if goal is None:
        return found
    (row,) = target_times({found.emulation: scores}, [goal])
    return replace(
        found,
        target=goal.value,
        target_measure=goal.measure,
        time_to_target_s=row.time_s,
        rounds_to_target=row.round,
        bytes_down_to_target=row.bytes_down,
        bytes_up_to_target=row.bytes_up,
    )


def _notes(shown: Sequence[Shown]) -> list[str]:
    """Why results are missing, a line per reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in shown:
        for run, result in each.results.items():
            if isinstance(result, UserError):
                text = f"{result.message} ({result.hint})" if result.hint else result.message
                found.setdefault((each.label, text), []).append(run.method)
    return [
        f"{', '.join(dict.fromkeys(methods))}, {label}: {text}."
        for (label, text), methods in found.items()
    ]


# -- table


def _table(study: Study) -> dict[str, Any]:
    """The table: a row per method, a column of times per scenario; `bold` are the lowest times."""
    leaders = {variant: fastest(study, variant) for variant in study.variants}
    rows, bold = [], []
    for method in study.methods:
        summaries = [study.summary(method, variant) for variant in study.variants]
        times = [time_text(each) if each else "" for each in summaries]
        rows.append([method, *times, *_facts(summaries[-1])])
        bold.append([method in leaders[variant] for variant in study.variants])
    heads = ["method", *study.variants, "rounds", "down", "up", study.metric]
    caption = (
        f"Simulated time to {study.goal}, {findings.statistic(study, 'median and range')}; rounds, "
        f"bytes and {study.metric_told} are of these settings. "
        + (f"Target measured on {study.measured}." if study.target else "")
    )
    return {"heads": heads, "rows": rows, "bold": bold, "caption": caption}


def _facts(summary: Summary | None) -> list[str]:
    if summary is None:
        return [""] * 4
    _, rounds, down, up = costs(summary)
    score = summary.final_accuracy.median
    return [
        or_never(rounds.median, "{:g}".format),
        or_never(down.median, format_size),
        or_never(up.median, format_size),
        NOT_SCORED if score is None else format_score(score),
    ]


# -- figures


def _plain(text: str) -> str:
    return text.translate(_ENTITIES)


def _bars(study: Study) -> dict[str, Any]:
    """Bars of the median time per method and scenario, with a line from minimum to maximum.

    A median of 'never' is a hatched bar as long as the longest one.
    """
    rows = [
        (y, summary)
        for y, (method, variant) in enumerate(product(study.methods, study.variants))
        if (summary := study.summary(method, variant))
    ]
    several, last = len(study.variants), study.variants[-1]
    spreads = [time(summary) for _, summary in rows]
    known = [value for spread in spreads for value in spread if value is not None]
    scale_s, name = unit(known)
    longest = max(known, default=scale_s) / scale_s
    low, middle, high = (
        [longest if value is None else value / scale_s for value in values]
        for values in zip(*spreads, strict=True)
    )
    y = [row for row, _ in rows]
    shades = [colour(study.methods.index(summary.method)) for _, summary in rows]
    texts = [f"  {or_never(spread.median, format_duration)}" for spread in spreads]
    if several > 1:
        texts = [f"{t} · {_plain(s.variant)}" for t, (_, s) in zip(texts, rows, strict=True)]
    pairs = list(zip(low, middle, high, strict=True))
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": y,
        "x": _short(middle),
        "hoverinfo": "skip",
        "marker": {
            "color": shades,
            "opacity": [1.0 if summary.variant == last else 0.5 for _, summary in rows],
            "line": {"color": shades, "width": 1},
            "pattern": {"shape": ["/" if spread.median is None else "" for spread in spreads]},
        },
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": _short([high - middle for _, middle, high in pairs]),
            "arrayminus": _short([middle - low for low, middle, _ in pairs]),
            "visible": low != high,
            "color": "#808080",
        },
    }
    labels = {"type": "scatter", "mode": "text", "y": y, "x": _short(high), "text": texts,
              "textposition": "middle right", "cliponaxis": False, "hoverinfo": "skip"}  # fmt: skip
    title = f"simulated time to {study.goal} ({name}), {findings.statistic(study, 'median')}"
    ticks = [number * several + (several - 1) / 2 for number in range(len(study.methods))]
    layout = {
        "height": 90 + 26 * len(study.methods) * several,
        "showlegend": False,
        "xaxis": {"title": {"text": _plain(title)}, "range": [0, 1.25 * longest]},
        "yaxis": {
            "tickvals": ticks,
            "ticktext": [_plain(method) for method in study.methods],
            "range": [len(study.methods) * several - 0.5, -0.5],
            "showgrid": False,
        },
    }
    return {"data": [bars, labels], "layout": layout}


def _curves(study: Study) -> dict[str, Any]:
    """The score over simulated time: means over seeds, with a band from minimum to maximum."""
    ends = [curve.time_s[-1] for curve in study.curves.values() if curve.time_s]
    scale_s, name = unit(ends)
    traces: list[dict[str, Any]] = []
    for number, variant in enumerate(reversed(study.variants)):
        dash = "solid" if number == 0 else _DASHES[(number - 1) % len(_DASHES)]
        for method in study.methods:
            shade = colour(study.methods.index(method))
            curves = [study.curves[each.emulation] for each in study.of(method, variant)]
            scored = [(each.time_s, each.of(study.curved)) for each in curves if each.time_s]
            traces += _lines(scored, scale_s, shade, _plain(method), dash, is_main=number == 0)
        if number:
            line = {"color": "#808080", "width": 2, "dash": dash}
            traces.append({"type": "scatter", "mode": "lines", "name": _plain(variant),
                           "x": [None], "y": [None], "line": line})  # fmt: skip
    layout = {
        "height": 460,
        "xaxis": {"title": {"text": f"simulated time ({name})"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": _plain(study.curved_name)}},
    }
    if study.target:
        layout["shapes"] = [
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": study.target.value,
             "y1": study.target.value, "line": {"color": "#808080", "width": 1.5, "dash": "dash"}}
        ]  # fmt: skip
    return {"data": traces, "layout": layout}


def _lines(
    scored: Sequence[tuple[Sequence[float], Sequence[float]]],
    scale_s: float,
    shade: str,
    label: str,
    dash: str,
    *,
    is_main: bool,
) -> list[dict[str, Any]]:
    """A line for one method under one scenario, over its band."""
    if not scored:
        return []
    end = min(times[-1] for times, _ in scored)
    grid = np.unique([t for times, _ in scored for t in times if t <= end])
    scores = np.stack([np.interp(grid, *each) for each in scored])
    x = _short(grid / scale_s)
    edge = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0}, "hoverinfo": "skip",
            "showlegend": False}  # fmt: skip
    band = [
        edge | {"y": _short(scores.min(axis=0))},
        edge | {"y": _short(scores.max(axis=0)), "fill": "tonexty", "fillcolor": f"{shade}33"},
    ]
    line = {
        "type": "scatter",
        "mode": "lines+markers" if is_main else "lines",
        "name": label,
        "showlegend": is_main,
        "x": x,
        "y": _short(scores.mean(axis=0)),
        "line": {"color": shade, "width": 2, "dash": dash},
        "marker": {"size": 6, "maxdisplayed": 14},
    }
    return [*(band if len(scored) > 1 and is_main else []), line]


def _short(values: Iterable[float]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
