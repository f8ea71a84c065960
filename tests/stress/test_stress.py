"""Each campaign in its short form, in a process of its own, as `make campaigns` runs it."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")
CAMPAIGNS = runpy.run_path(str(RUN))["CAMPAIGNS"]


def said(*arguments):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(RUN), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_campaign_loses_nothing(name):
    expected = rf"{name}: tried [\d,]+, survived [\d,]+ .*lost 0, seed 0"
    assert re.match(expected, said(name, "--short"))


def test_a_campaign_that_is_killed_is_no_success(monkeypatch):
    codes = iter([0, -9, 0, 0, 0, 0])
    monkeypatch.setattr(subprocess, "call", lambda _: next(codes))
    monkeypatch.setattr(sys, "argv", ["run.py"])
    assert runpy.run_path(str(RUN))["main"]() == 1
    assert not list(codes)  # the others were run all the same
