"""The pages about message logs: their code writes logs, their fields are those of the models."""

import re
from pathlib import Path
from types import NoneType
from typing import get_args

import pytest
import yaml
from click.testing import CliRunner

from emulator.cli import main
from emulator.integrations.message_log import (
    ClientInfo,
    Header,
    Program,
    Score,
    Untimed,
    Visit,
    read,
)

from .markdown import ROOT, blocks

GUIDE = ROOT / "docs/howto/time_your_own_run.md"
FORMAT = ROOT / "docs/reference/message_log.md"


def test_the_code_of_the_guide_writes_logs_that_are_timed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    plain, writer = (block.text for block in blocks(GUIDE) if block.kind == "python")
    assert len(plain.splitlines()) < 15  # 'a few lines from any framework'
    for code in (plain, writer):
        exec(compile(code, GUIDE.name, "exec"), {})  # from a page of this repository
    by_hand, by_writer = read(Path("fedavg.jsonl")), read(Path("fedprox.jsonl"))
    assert [v.bytes_down for v in by_hand.visits] == [v.bytes_down for v in by_writer.visits]
    assert by_hand.ids == by_writer.ids
    (check, first), (both, compare), (again,), (law, table) = (
        block.text.splitlines() for block in blocks(GUIDE) if block.kind == "sh"
    )
    for line in (check, first, both, compare, again, law, table):
        said = CliRunner().invoke(main, line.split()[1:])
        assert said.exit_code == 0, (line, said.output)
    assert Path("runs/first-try-logged-on-4g_cell-on-5g/index.html").exists()
    values = yaml.safe_load(Path("compute.yaml").read_text())["compute"]["per_example"]["values"]
    assert values == ["50 ms"] * 3


def test_the_examples_of_the_format_are_valid(tmp_path):
    suffixes = {"json mine/fedavg.jsonl": "jsonl", "csv": "csv"}
    found = [block for block in blocks(FORMAT) if block.kind in suffixes]
    assert len(found) == 2
    for block in found:
        path = tmp_path / f"log.{suffixes[block.kind]}"
        path.write_text(block.text)
        assert read(path).rounds == 2
    (four,) = (block for block in blocks(GUIDE) if block.kind == "csv")
    (tmp_path / "four.csv").write_text(four.text)
    assert len(read(tmp_path / "four.csv").visits) == 2


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("Header", Header),
        ("Visit", Visit),
        ("Untimed", Untimed),
        ("Score", Score),
        ("Client", ClientInfo),
        ("Program", Program),
    ],
)
def test_the_fields_on_the_page_are_those_of_the_model(heading, model):
    section = FORMAT.read_text("utf-8").split(f"### {heading}\n")[1].split("\n##")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|", section, re.MULTILINE)
    assert [name for name, *_ in rows] == list(model.model_fields)
    for name, _, default in rows:
        field = model.model_fields[name]
        if default.startswith("required"):
            assert field.is_required() or name in ("kind", "bytes_up")
        elif default == "none":
            assert field.default is None
            assert NoneType in get_args(field.annotation)
        else:
            assert default.strip("`") == str(field.default).lower()
