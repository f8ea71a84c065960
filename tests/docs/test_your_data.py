"""The page about a user's own data is followed from its first command to its last."""

import csv
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from .markdown import ROOT

PAGE = ROOT / "docs/howto/use_your_own_data.md"


@pytest.mark.slow
@pytest.mark.real
def test_its_commands_train_to_their_targets(tmp_path):
    """Two minutes: 27 rounds of MiniLM, and 57 of a Llama of 0.3 million parameters."""
    shutil.copytree(ROOT / "examples/your_data", tmp_path / "examples/your_data")
    text = PAGE.read_text("utf-8").partition("## Write a task")[0]
    commands = re.findall(r"^ +((?:flasc-emu|python) .+)$", text, re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        name, *args = shlex.split(command)
        program = [sys.executable] if name == "python" else [sys.executable, "-m", "emulator"]
        subprocess.run([*program, *args], cwd=tmp_path, check=True)
    for study in ("reviews", "questions"):
        with (tmp_path / f"runs/{study}/results.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) >= 2
        assert all(float(row["time_to_target_s"]) > 0 for row in rows)
