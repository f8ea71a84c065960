"""The page: one HTML file with all data and scripts that needs no network. plotly.js draws it."""

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files

from emulator.common.units import format_duration, format_score, format_size
from emulator.reports import findings, sweep_findings, targets, tradeoffs, validation
from emulator.reports.page import data, tables
from emulator.reports.page.tables import Cell, filled, sortable
from emulator.reports.run_report import Study
from emulator.reports.terminal import NOT_SCORED, costs, missing, or_never, privacy_caption
from emulator.results.metrics import Spread, Summary
from emulator.results.target_sweep import at, steps, target_times

TESTED = {"Test at target": "test_accuracy_at_target", "Test": "test_accuracy"}
TOLD = 12  # targets that sentences are about; the slider has more
SCRIPTS = (
    "words", "plot", "targets", "top", "bars", "sweep", "waste", "curves", "heat", "round", "fleet",
    "main",
)  # fmt: skip


def html(study: Study) -> str:
    """Return the page. It fetches nothing, and no text in a name can run as a script."""
    from plotly.offline import get_plotlyjs

    plotly, script = get_plotlyjs(), _script()
    seeded = len({o.seed for o in study.outcomes}) > 1
    return _web("page.html").format(
        policy=escape(_policy(plotly, script)),
        css=_web("page.css"),
        name=escape(study.name),
        headline=escape(findings.headline(study)),
        missing=f"<p><strong>{escape(note)}</strong></p>" if (note := missing(study)) else "",
        goal=escape(study.goal),
        median=findings.statistic(study, "median"),
        line=", with a line from minimum to maximum" if seeded else "",
        unreached="not reached with half of the seeds or more" if seeded else "never reached",
        range=", with the range from minimum to maximum below" if seeded else "",
        middle=" Of the seed with the median time, or the two in the middle." if seeded else "",
        means=f" {findings.statistic(study, 'Mean')}." if seeded else "",
        shown=escape(findings.shown(study)),
        leaders=_leaders(study),
        swept="".join(f"<li>{escape(line)}</li>" for line in sweep_findings.sentences(study)),
        split=escape(study.split),
        curves=escape(_curves_note(study, seeded=seeded)),
        compared=_compared(study),
        metric=escape(study.metric),
        metric_title=escape(study.metric_title),
        variant="variant" if study.has_tradeoffs else "network",
        variants="Variants" if study.has_tradeoffs else "Networks",
        group_costs=tables.group_costs(study),
        caption=escape(_caption(study)),
        table=_table(study),
        scenario=escape(study.scenario),
        provenance=escape(_indented(study.provenance)),
        data=data.to_json(study),
        plotly=plotly,
        script=script,
    )


def _web(name: str) -> str:
    return (files("emulator.reports.page") / "web" / name).read_text("utf-8")


def _script() -> str:
    parts = "\n".join(_web(f"{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def _policy(*scripts: str) -> str:
    """Return a policy that allows scripts by hash, and images made by them (W3C CSP 3)."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:"
    )


def _curves_note(study: Study, *, seeded: bool) -> str:
    longest = max((len(curve.round) for curve in study.curves.values()), default=0)
    shown = min(longest, data.room(study))
    thinned = (
        f" {shown} of {longest} evaluations are kept, at even steps." if longest > shown else ""
    )
    bands = f" {findings.statistic(study, 'Mean')}, with a band from minimum to maximum."
    return bands * seeded + thinned


def _leaders(study: Study) -> str:
    """Return who has the lowest time to which targets, a line per variant."""
    if study.target is None:
        return ""
    goals = at(study.target, steps(study.curves.values(), study.target, TOLD))
    rows = target_times(study.curves, goals)
    lines = [*targets.sentences(study, rows), targets.early_ends(study, rows)]
    return "".join(f"<li>{escape(line)}</li>" for line in lines if line)


def _compared(study: Study) -> str:
    return "".join(
        f'<li>{escape(gain)} <span class="note">{escape(paid)}</span></li>'
        for gain, paid in (tradeoffs.sentences(study) if study.has_tradeoffs else ())
    )


def _caption(study: Study) -> str:
    traded = (
        " At equal time: when the first variant of the same method and seed ended, with straight "
        "lines between evaluations. Wasted: share of the bytes of updates that were not used. "
        "Excluded: share of the examples of clients none of whose updates was used."
        if study.has_tradeoffs
        else ""
    )
    texts = (
        f"Simulated time to {study.goal}, with rounds and bytes until then; "
        f"{study.metric_told} after the last round; {findings.statistic(study, 'median')}.",
        findings.shown(study),
        findings.fallen(study),
        findings.on_test_split(study),
        f"Target measured on {study.measured}.{traded}",
        f"{study.remark}." if study.remark else "",
        privacy_caption(study).strip(),
        validation.line(study.validations.values()),
    )
    return " ".join(filter(None, texts))


def _table(study: Study) -> str:
    """Return the table of results: a row per method and variant."""
    summaries = [s for m in study.methods for v in study.variants if (s := study.summary(m, v))]
    seeded = any(len(s.seeds) > 1 for s in summaries)
    tested = {
        title: name for title, name in TESTED.items() if any(getattr(s, name) for s in summaries)
    }
    private = any(s.epsilon for s in summaries)
    rows = [_row(study, s, seeded=seeded, tested=tested, private=private) for s in summaries]
    return sortable(filled(rows))


def _row(
    study: Study, summary: Summary, *, seeded: bool, tested: Mapping[str, str], private: bool
) -> dict[str, Cell]:
    """Return cells by heading; the range over seeds only if a method has several."""
    spread_s, rounds, down, up = costs(summary)
    low, high = (or_never(s, format_duration) for s in (spread_s.low, spread_s.high))
    count = len(summary.seeds)
    reached = f"{count}" if summary.target is None else f"{summary.reached} of {count}"
    cells: dict[str, Cell] = {
        "Method": (study.methods.index(summary.method), summary.method),
        "Variant": (study.variants.index(summary.variant), summary.variant),
        "Time": (spread_s.median, or_never(spread_s.median, format_duration)),
    }
    if seeded:
        cells["Range"] = (spread_s.low, low if low == high else f"{low} – {high}")
        cells["Seeds"] = (summary.reached, reached)
    cells |= {
        "Rounds": (rounds.median, or_never(rounds.median, "{:g}".format)),
        "Down": (down.median, or_never(down.median, format_size)),
        "Up": (up.median, or_never(up.median, format_size)),
        study.metric_title: _accuracy(summary.final_accuracy),
    }
    if study.has_tradeoffs and (
        found := tradeoffs.tradeoff(study, summary.method, summary.variant, study.variants)
    ):
        cells |= _traded(found)
    for title, name in tested.items():
        found = getattr(summary, name)
        cells[title] = _accuracy(found) if found else (None, "")
    if private and summary.target is not None:
        cells["ε"] = _epsilon(summary.epsilon_to_target)
    if private:
        cells["ε at the end"] = _epsilon(summary.epsilon)
    return cells


def _traded(found: tradeoffs.Tradeoff) -> dict[str, Cell]:
    equal_time = found.equal_time.median if found.equal_time else None
    return {
        "At equal time": (equal_time, tradeoffs.at_equal(found)),
        "Ended": (found.ended_s.median, or_never(found.ended_s.median, format_duration)),
        "Wasted": (found.wasted_bytes, tradeoffs.percent(found.wasted_bytes)),
        "Excluded": (found.excluded, tradeoffs.or_blank(found.excluded, tradeoffs.percent)),
    }


def _accuracy(spread: Spread) -> Cell:
    return spread.median, NOT_SCORED if spread.median is None else format_score(spread.median)


def _epsilon(spread: Spread | None) -> Cell:
    if spread is None:
        return None, "none"
    return spread.median, or_never(spread.median, "{:.3g}".format)


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
