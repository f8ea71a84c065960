"""Tables of the page: every cell carries the number it sorts by."""

import math
from collections.abc import Sequence
from html import escape

Cell = tuple[float | None, str]  # what it sorts by, what it says


def sortable(rows: Sequence[dict[str, Cell]]) -> str:
    """An HTML table of `rows` by heading, all of the same headings; nothing of none."""
    heads = list(rows[0]) if rows else []
    head = "".join(f'<th scope="col"><button>{escape(text)}</button></th>' for text in heads)
    body = "\n".join(f"<tr>{''.join(map(_cell, row.values()))}</tr>" for row in rows)
    return f'<table class="named"><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>'


def _cell(cell: Cell) -> str:
    key, text = cell
    number = "Infinity" if key is None or math.isinf(key) else repr(key)
    return f'<td data-key="{number}">{escape(text)}</td>'
