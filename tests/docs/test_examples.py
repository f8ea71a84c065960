"""The examples in the documentation are executed: scenarios, messages, `check`, code, commands.

The tutorial is followed from its first command to its last. Its trainings are not repeated but
replayed from the recordings in tests/data/recordings.
"""

import itertools
import re
import runpy
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.runner import defaults, inputs, run, training_pace
from emulator.scenario import template

from .markdown import PAGES, README, ROOT, TUTORIAL, blocks, file_name

YAMLS = [block for page in PAGES for block in blocks(page) if block.kind.startswith("yaml")]
DATA = [
    block for page in PAGES for block in blocks(page) if block.kind.startswith(("csv", "json "))
]
every_yaml = pytest.mark.parametrize("block", [b for b in YAMLS if b.kind == "yaml"], ids=file_name)
CHECKS = [
    (page, match[1], match[2])
    for page in PAGES
    if page != TUTORIAL
    for block in blocks(page)
    if block.kind == "console"
    for match in re.finditer(
        r"^\$ flasc-emu (check .*)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE
    )
]
FAILURES = [
    (block, following)
    for page in PAGES
    for block, following in itertools.zip_longest(blocks(page), blocks(page)[1:])
    if block.kind == "yaml bad"
]


def lay_out(folder: Path) -> None:
    """Fill a folder as the guide's reader has it: scenarios/, and each example where it says."""
    shutil.copytree(ROOT / "scenarios", folder / "scenarios")
    (folder / "mine").mkdir()
    (folder / "mine/first.yaml").write_text(template.whole("first", "4g"), "utf-8")
    for block in YAMLS + DATA:
        (folder / file_name(block)).write_text(block.text, "utf-8")


@pytest.fixture(autouse=True)
def any_machine(monkeypatch):
    """What is told does not depend on the processor, or on earlier trainings of this user."""
    monkeypatch.setattr(defaults, "bf16_unit", lambda: "")
    monkeypatch.setattr(training_pace, "NAME", "/dev/null/none")


@pytest.fixture
def desk(tmp_path, monkeypatch):
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def flasc_emu(line: str) -> str:
    return CliRunner().invoke(main, shlex.split(line)).output


# -- examples


@every_yaml
def test_every_example_is_a_study(desk, block):
    assert inputs.read(Path(file_name(block))).trainings()


def test_examples_have_names_of_their_own():
    names = [file_name(block) for block in YAMLS]
    assert len(set(names)) == len(names) > 10


@pytest.mark.parametrize(("block", "shown"), FAILURES, ids=lambda b: getattr(b, "line", ""))
def test_every_mistake_is_answered_as_shown(desk, block, shown):
    assert shown is not None
    assert shown.kind == "text"
    assert flasc_emu(f"check {file_name(block)}") == shown.text


@pytest.mark.parametrize(("page", "line", "shown"), CHECKS, ids=[c[1] for c in CHECKS])
def test_every_check_prints_what_is_shown(desk, page, line, shown):
    assert flasc_emu(line) == shown


def test_there_is_something_to_check():
    assert FAILURES
    assert CHECKS


def test_code_of_the_examples_is_shown_as_it_is():
    shown = [b for page in PAGES for b in blocks(page) if b.kind.startswith("python examples/")]
    assert shown
    for block in shown:
        assert block.text in (ROOT / block.kind.removeprefix("python ")).read_text("utf-8")


def test_the_map_of_networks_runs(tmp_path, monkeypatch, capsys):
    """With four networks in place of a thousand, under two draws of the fleet each."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recordings").symlink_to(ROOT / "recordings")
    found = runpy.run_path(str(ROOT / "examples/network_map.py"))
    found["main"].__globals__["COUNT"] = 4
    found["main"]()
    printed = capsys.readouterr().out
    counts = re.findall(r"'([^']+)': (\d+)", printed)
    assert sum(int(count) for _, count in counts) == 4 * 2
    assert {path.name for path in Path("runs/map").iterdir()} >= {"summary.sqlite", "results.csv"}


# -- the tutorial


def as_shown(text: str) -> str:
    """Without blanks at ends of lines; the rounds that are trained are 'recorded before' here."""
    text = re.sub(" +$", "", text, flags=re.MULTILINE)
    counted = r"(\d+) rounds trained(?:, (\d+) recorded before)?"
    return re.sub(counted, lambda found: f"{int(found[1]) + int(found[2] or 0)} rounds", text)


def test_the_tutorial_goes_as_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FLASC_EMU_CACHE", str(tmp_path / "no data, no weights"))
    monkeypatch.setattr(run, "default_workers", lambda: 1)
    for block in blocks(TUTORIAL):
        if block.kind == "yaml":
            Path(file_name(block)).write_text(block.text, "utf-8")
        if block.kind == "console":
            line, _, shown = block.text.removeprefix("$ flasc-emu ").partition("\n")
            if line == "run mine/first.yaml":
                shutil.copytree(ROOT / "tests/data/recordings", "runs/recordings")
            printed = CliRunner().invoke(main, shlex.split(line)).stdout
            assert as_shown(printed) == as_shown(shown), line


def test_the_commands_of_the_readme_end_with_a_page(desk, monkeypatch):
    monkeypatch.setattr(run, "default_workers", lambda: 1)
    shutil.copytree(ROOT / "tests/data/recordings", "runs/recordings")
    install, *others = [block.text for block in blocks(README) if block.kind == "sh"]
    assert install.endswith("\npip install -e .\n")
    *lines, look = next(text for text in others if "xdg-open" in text).splitlines()
    assert len(lines) == 3
    for line in lines:
        result = CliRunner().invoke(main, shlex.split(line)[1:])
        assert result.exit_code == 0, result.output
    assert Path(look.split()[-1]).read_text("utf-8").startswith("<!DOCTYPE html>")


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recordings").symlink_to(ROOT / "recordings")
    (code,) = (block.text for block in blocks(README) if block.kind == "python")
    exec(compile(code, "README.md", "exec"), {})  # from the README of this repository
    assert capsys.readouterr().out.startswith("LoRA as fast 0 ")
