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


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_campaign_loses_nothing(name):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(RUN), name, "--short"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(rf"{name}: tried [\d,]+, survived [\d,]+ .*lost 0, seed 0", done.stdout)
