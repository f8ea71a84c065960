"""Reads the Markdown pages of the documentation: code blocks, prose and command lines."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TUTORIAL = ROOT / "docs/start/tutorial.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]


class Block(NamedTuple):
    kind: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    found = re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 1) for m in found]


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """Every flasc-emu command line: in code spans, in blocks and on indented lines."""
    lines = [line for b in blocks(page) if "yaml" not in b.kind for line in b.text.splitlines()]
    lines += [line for line in prose(page).splitlines() if line.startswith("    ")]
    spans = re.findall(r"`([^`\n]+)`", prose(page))
    starts = (
        re.fullmatch(r"\s*(?:\$ )?(?:\S+/)?flasc-emu (.*)", line) for line in [*lines, *spans]
    )
    return [match[1] for match in starts if match]


def file_name(block: Block) -> str:
    """Where the block's first line says that it is to be saved; JSON has no comments."""
    if block.kind.startswith("json "):
        return block.kind.removeprefix("json ")
    match = re.match(r".*# (?:save as )?(\w+/\w+\.(?:yaml|csv))\b", block.text)
    return match[1] if match else f"mine/line_{block.line}.yaml"
