"""One HTML file that holds everything and opens without a network."""

import json
import math
import re
from html import escape

from emulator.metrics import Spread, Summary
from emulator.report import figure, validation
from emulator.report.study import Study
from emulator.report.table import costs, missing, or_never, time
from emulator.units import format_duration, format_size

# Nothing is fetched, whatever a scenario's strings may hold.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

_CSS = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
.headline { font-size: 1.2rem; }
figure { margin: 1rem 0; padding: .5rem; background: #fff; border-radius: .5rem; }
figure, .scroll { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 36rem; height: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #8884; }
td { white-space: nowrap; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; white-space: normal; }
td:first-child { min-width: 9rem; }
th button { all: unset; cursor: pointer; font-weight: 600; }
th button:focus-visible { outline: 2px solid; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid #8884; border-radius: .5rem; }
"""

_SORT = """
for (const button of document.querySelectorAll("th button")) button.onclick = () => {
  const head = button.parentElement, column = head.cellIndex;
  const body = head.closest("table").tBodies[0];
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = row => Number(row.cells[column].dataset.key);
  const order = (a, b) => key(a) === key(b) ? 0 : (key(a) < key(b) ? -1 : 1) * (up ? 1 : -1);
  body.append(...[...body.rows].sort(order));
};
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>{css}</style>
</head>
<body>
<h1>{name}</h1>
<p class="headline">{headline}</p>
{missing}
<figure>{overview}</figure>
<h2>Results</h2>
<p>{caption} A click on a heading sorts.</p>
<div class="scroll">{table}</div>
<h2>Where the time went</h2>
<p>An average client of the cohort, until the target; hatched bars never reached it and show the
whole run.</p>
<figure>{breakdown}</figure>
<h2>Scenario</h2>
<pre>{scenario}</pre>
<h2>Provenance</h2>
<pre>{provenance}</pre>
<script>{sort}</script>
</body>
</html>
"""


def html(study: Study, overview: str) -> str:
    """The page, as text; `overview` is the figure of that name as SVG."""
    return _PAGE.format(
        policy=escape(_POLICY),
        css=_CSS,
        sort=_SORT,
        name=escape(study.name),
        headline=escape(headline(study)),
        missing=f"<p><strong>{escape(missing(study))}</strong></p>" if study.missing else "",
        overview=_inline(overview, "overview", f"Time to {study.goal}, and accuracy over time"),
        caption=escape(_caption(study)),
        table=_table(study),
        breakdown=_inline(
            figure.svg(figure.breakdown, study), "breakdown", "Where the time went, stacked bars"
        ),
        scenario=escape(study.scenario),
        provenance=escape(_indented(study.provenance)),
    )


def headline(study: Study) -> str:
    """The run in a sentence: who is first under the last variant, and by how much.

    Compared with the first method listed, or with the next one where that is the fastest itself.
    """
    variant = study.variants[-1] if study.variants else ""
    found = [s for m in study.methods if (s := study.summary(m, variant))]
    reached = sorted(
        ((s.method, t) for s in found if (t := time(s).median) is not None),
        key=lambda pair: pair[1],
    )
    if not reached:
        return f"Under {variant}, no method gets to {study.goal}."
    best, best_s = reached[0]
    first = f"Under {variant}, {best} is first to get to {study.goal}: {format_duration(best_s)}"
    times = dict(reached)
    other = study.methods[0] if study.methods[0] != best else next(iter(list(times)[1:]), "")
    if not other:
        return f"{first}."
    if other not in times:
        return f"{first}; {other} never does."
    ratio = f", {times[other] / best_s:.1f} times as long" if best_s else ""
    return f"{first}; {other} takes {format_duration(times[other])}{ratio}."


def _caption(study: Study) -> str:
    return (
        f"Simulated time to {study.goal}, with rounds and bytes until then; accuracy after the "
        f"last round. Medians over seeds. Target measured on {study.split}. "
        f"{validation.line(study.validations.values())}".strip()
    )


def _table(study: Study) -> str:
    """Rows of one method under one variant each; every cell carries the number it sorts by."""
    summaries = [s for m in study.methods for v in study.variants if (s := study.summary(m, v))]
    seeded = any(len(s.seeds) > 1 for s in summaries)
    tested = any(s.test_accuracy for s in summaries)
    rows = [_row(study, s, seeded=seeded, tested=tested) for s in summaries]
    heads = list(rows[0]) if rows else []
    head = "".join(f'<th scope="col"><button>{text}</button></th>' for text in heads)
    body = "\n".join(f"<tr>{''.join(map(_cell, row.values()))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"


Cell = tuple[float | None, str]  # what it sorts by, what it says


def _row(study: Study, summary: Summary, *, seeded: bool, tested: bool) -> dict[str, Cell]:
    """Cells by heading; the spread over seeds only where some method has several."""
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
        "Accuracy": _accuracy(summary.final_accuracy),
    }
    if tested:
        cells["Test"] = _accuracy(summary.test_accuracy) if summary.test_accuracy else (None, "")
    return cells


def _accuracy(spread: Spread) -> Cell:
    return spread.median, or_never(spread.median, "{:.3f}".format)


def _cell(cell: Cell) -> str:
    key, text = cell
    number = "Infinity" if key is None or math.isinf(key) else repr(key)
    return f'<td data-key="{number}">{escape(text)}</td>'


def _inline(svg: str, prefix: str, label: str) -> str:
    """An SVG as an element of the page, with ids that no other figure has."""
    element = svg[svg.index("<svg ") :]
    element = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", element)
    return element.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
