"""`explore`: what it refuses is one message. tests/emulator/explore has the page."""

import gzip
import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator import explore
from emulator.cli import main

RECORDING = Path(__file__).parents[3] / "recordings/figure3.json.gz"


def refused(*args):
    """Exit code and message of a command that serves nothing."""
    done = CliRunner().invoke(main, ["explore", *map(str, args)])
    assert "Traceback" not in done.output
    assert "http://" not in done.output
    return done.exit_code, done.stderr


def test_a_path_without_a_study_is_named(tmp_path):
    assert refused(tmp_path / "no.yaml")[0] == 2
    damaged = tmp_path / "damaged.json.gz"
    damaged.write_bytes(gzip.compress(b"{}"))
    code, text = refused(damaged)
    assert code == 2
    assert f"{damaged}: not a packed recording" in text


def test_a_study_that_is_not_recorded_is_refused(scenario, tmp_path):
    code, text = refused(scenario(), "--recordings", tmp_path)
    assert code == 2
    assert "toy.yaml: found none of its trainings in" in text
    assert "hint: run it first: flasc-emu run" in text


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, text = refused(RECORDING, "--port", port)
    assert code == 3
    assert f"--port {port}: found a port that cannot be used" in text


@pytest.mark.parametrize("name", ["starlette", "uvicorn"])
def test_without_the_extra_the_message_says_how_to_get_it(name, monkeypatch):
    for module in [each for each in sys.modules if each.startswith(f"{name}.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    for module in ("server", "guard"):
        monkeypatch.delitem(sys.modules, f"emulator.explore.{module}", raising=False)
        monkeypatch.delattr(explore, module, raising=False)
    code, text = refused(RECORDING)
    assert code == 3
    assert "pip install 'flasc-emu[explore]'" in text
