"""Sortable HTML tables of the page, and the table of costs by group of clients."""

import math
from collections.abc import Sequence
from html import escape
from statistics import fmean

from emulator.common.units import format_duration, format_score, format_size
from emulator.reports.run_report import Study
from emulator.reports.tradeoffs import or_blank, percent
from emulator.results.participation import GroupShare

Cell = tuple[float | None, str]  # sort key, text
NOTHING = percent(0.0)


def sortable(rows: Sequence[dict[str, Cell]]) -> str:
    """Return an HTML table of `rows`, which are cells by heading and have the same headings."""
    heads = list(rows[0]) if rows else []
    head = "".join(f'<th scope="col"><button>{escape(text)}</button></th>' for text in heads)
    body = "\n".join(f"<tr>{''.join(map(_cell, row.values()))}</tr>" for row in rows)
    return f'<table class="named"><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>'


def filled(rows: Sequence[dict[str, Cell]]) -> list[dict[str, Cell]]:
    """Return `rows` without the columns that are empty or 0 % in each of them."""
    heads = rows[0] if rows else {}
    kept = [head for head in heads if any(row[head][1] not in ("", NOTHING) for row in rows)]
    return [{head: row[head] for head in kept} for row in rows]


def _cell(cell: Cell) -> str:
    key, text = cell
    number = "Infinity" if key is None or math.isinf(key) else repr(key)
    return f'<td data-key="{number}">{escape(text)}</td>'


def group_costs(study: Study) -> str:
    """Return a table of costs per method, variant and group, means over seeds.

    Columns that say nothing are left out. Empty if the ledger has no groups.
    """
    rows: list[dict[str, Cell]] = []
    for m, method in enumerate(study.methods):
        for v, variant in enumerate(study.variants):
            shares = [
                s for o in study.of(method, variant) for s in study.groups.get(o.emulation, ())
            ]
            for name in dict.fromkeys(share.group for share in shares):
                own = [share for share in shares if share.group == name]
                named: dict[str, Cell] = {"Method": (m, method), "Variant": (v, variant)}
                rows.append(named | {"Group": (len(rows), name)} | _costs(own, study.metric_title))
    return sortable(filled(rows)) if rows else ""


def _costs(shares: Sequence[GroupShare], metric: str) -> dict[str, Cell]:
    moved = fmean(s.bytes_down + s.bytes_up for s in shares)
    wasted = sum(s.wasted_bytes for s in shares)
    tasks = sum(s.visits for s in shares)
    absent_s, compute_s = (_mean_s(shares, part) for part in ("absent_s", "compute_s"))
    return {
        "Clients": (shares[0].clients, str(shares[0].clients)),
        "Selected": (tasks / len(shares), f"{tasks / len(shares):.0f}"),
        "Used": _share(sum(s.used for s in shares) / tasks if tasks else None),
        "Download": _seconds(_mean_s(shares, "download_s")),
        "Compute": _seconds(compute_s) if compute_s else (0.0, ""),
        "Upload": _seconds(_mean_s(shares, "upload_s")),
        "Absent": _seconds(absent_s) if absent_s else (0.0, ""),
        "Bytes": (moved, format_size(moved)),
        "Wasted": _share(wasted / (moved * len(shares)) if moved else None),
        "Excluded": _share(_mean([s.unheard_examples for s in shares])),
        f"{metric}, included": _score(_mean([s.heard_accuracy for s in shares])),
        f"{metric}, excluded": _score(_mean([s.unheard_accuracy for s in shares])),
    }


def _mean_s(shares: Sequence[GroupShare], part: str) -> float:
    """Return the seconds per client task, over all seeds."""
    visits = sum(s.visits for s in shares)
    return sum(getattr(s, part) * s.visits for s in shares) / visits if visits else 0.0


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _seconds(value: float) -> Cell:
    return value, format_duration(value)


def _share(value: float | None) -> Cell:
    return value, or_blank(value, percent)


def _score(value: float | None) -> Cell:
    return value, or_blank(value, format_score)
