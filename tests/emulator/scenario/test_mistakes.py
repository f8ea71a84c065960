"""Mistakes of users and their error messages: one file per case in mistakes/.

A case is a command, the files it finds, and the message. A person should be glad to get it: it says
which file, line and key, what was found, what is allowed. To change a message, change the case.
"""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli import main

CASES = sorted((Path(__file__).parent / "mistakes").glob("*.txt"))


def answer(case):
    """The output of the command of a case; its files are written to the working directory."""
    command, *files = re.split(r"^--- (.+)\n", case, flags=re.MULTILINE)
    for name, text in zip(files[::2], files[1::2], strict=True):
        Path(name).write_text(text, "utf-8")
    result = CliRunner().invoke(main, shlex.split(command)[2:])
    assert result.exception is None or isinstance(result.exception, SystemExit), result
    assert result.exit_code == 2, result.output
    return result.output


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_mistake_is_answered_as_written(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case, _, said = path.read_text("utf-8").partition("=====\n")
    assert answer(case) == said
    assert re.match(r"error: ([\w./]+\.yaml(:\d+){0,2}|--set .+?|--network .+?): ", said)


def test_there_are_many():
    assert len(CASES) >= 40
