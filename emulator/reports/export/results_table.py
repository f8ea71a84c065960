"""The table of results for a paper: LaTeX (booktabs) or Markdown."""

from collections.abc import Sequence
from typing import NamedTuple

from emulator.reports.findings import statistic
from emulator.reports.run_report import Study
from emulator.reports.terminal import facts, fastest, time_text

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--",
    "ε": r"$\varepsilon$", "×": r"$\times$", "µ": r"\textmu{}",
}  # fmt: skip
_MARKDOWN = {sign: f"\\{sign}" for sign in "\\|*_`<[]"}


class Cell(NamedTuple):
    """A text of the table; `best` is the lowest time of a variant."""

    text: str
    best: bool = False


def to_latex(study: Study) -> str:
    """Return a tabular for the package booktabs, with a comment that says what it shows."""
    head, *rows = _rows(study)
    lines = [_latex(row) for row in rows]
    return "\n".join(
        [
            *(f"% {line}" for line in _caption(study)),
            rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            r"\toprule",
            _latex(head),
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def to_markdown(study: Study) -> str:
    """Return a Markdown table, with a sentence above that says what it shows."""
    head, *rows = _rows(study)
    rule = f"|---|{'---:|' * (len(head) - 1)}"
    caption = _escaped(" ".join(_caption(study)), _MARKDOWN)
    return "\n".join([caption, "", _markdown(head), rule, *map(_markdown, rows), ""])


def _caption(study: Study) -> list[str]:
    """Return what the numbers are."""
    several = statistic(study, "median")
    told = [f"Simulated time to {study.goal}, {several}; on {study.measured}."]
    if any(len(study.of(m, v)) > 1 for m in study.methods for v in study.variants):
        told.append("In parentheses: from minimum to maximum, and how many seeds reached it.")
    return told


def _rows(study: Study) -> list[list[Cell]]:
    """Return headings, and a row per method: its time per variant, rounds, bytes and scores.

    What differs between variants is left out: the rounds and bytes of variants that learn
    differently.
    """
    summaries = {m: [study.summary(m, v) for v in study.variants] for m in study.methods}
    told = {m: {str(facts(s)) for s in row if s} for m, row in summaries.items()}
    shared = all(len(texts) <= 1 for texts in told.values())
    first = next((s for row in summaries.values() for s in row if s), None)
    heads = list(facts(first)) if shared and first else []
    leaders = {variant: fastest(study, variant) for variant in study.variants}
    rows = [[Cell(text) for text in ("method", *study.variants, *heads)]]
    for method, row in summaries.items():
        times = [
            Cell(time_text(s) if s else "", method in leaders[variant])
            for variant, s in zip(study.variants, row, strict=True)
        ]
        known = next((facts(s) for s in row if s), {})
        rows.append([Cell(method), *times, *(Cell(known.get(head, "")) for head in heads)])
    return rows


def _latex(row: Sequence[Cell]) -> str:
    texts = [(_escaped(text, _LATEX), best) for text, best in row]
    return " & ".join(rf"\textbf{{{text}}}" if best else text for text, best in texts) + r" \\"


def _markdown(row: Sequence[Cell]) -> str:
    texts = [(_escaped(text, _MARKDOWN), best) for text, best in row]
    return f"| {' | '.join(f'**{text}**' if best else text for text, best in texts)} |"


def _escaped(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in text)
