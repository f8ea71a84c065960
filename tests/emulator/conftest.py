import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from emulator.cli import main
from emulator.reports import plot_style
from emulator.runner import training_job

HERE = Path(__file__).parent
SCENARIO = """\
name: toy
task: {name: 20newsgroups, clients: 30}
training:
  rounds: 4
  cohort: 3
  target: {accuracy: 0.2, stop_after: never}
methods:
  LoRA: {kind: lora}
  head: {kind: head}
  FLASC: {kind: flasc, down: 1/4, up: 1/4}
network:
  server: {down: 1 Gbps, up: 1 Gbps}
  clients: {down: 20 Mbps, up: 20 Mbps, rtt: 40 ms}
vary:
  upload:
    fast: {network.clients.up: 20 Mbps}
    slow: {network.clients.up: 5 Mbps}
"""


@pytest.fixture
def scenario(tmp_path):
    """Writes a small scenario; gives its path."""

    def write(text=SCENARIO):
        path = tmp_path / "toy.yaml"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture
def file(tmp_path):
    """Writes a file named `table`; gives its path."""

    def write(content):
        path = tmp_path / "table"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def undrawn(monkeypatch):
    """Reports whose figures are empty: to draw them takes longer than a run of toys."""
    monkeypatch.setattr(plot_style, "svg_and_png", lambda *_: (b"<svg/>", b"PNG"))


@pytest.fixture
def toys(monkeypatch, undrawn):
    """Toys for trainers in this process; the list of those that were made."""
    monkeypatch.setattr(
        training_job, "_real_trainer", training_job._real_trainer
    )  # put back afterwards
    make = runpy.run_path(str(HERE / "toy_command.py"))["make"]
    made = []

    def counted(*args):
        live, provenance = make(*args)
        made.append(live)
        return live, provenance

    monkeypatch.setattr(training_job, "_real_trainer", counted)
    return made


@pytest.fixture
def model(tmp_path):
    """A folder with what `check` reads of a BERT: no weights, and no torch is needed."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "tokenizer.json").touch()
    config = {"model_type": "bert", "num_hidden_layers": 2}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    names = ("query", "key", "value", "dense")
    weights = {f"bert.layer.{name}.weight": np.zeros((2, 2), np.float32) for name in names}
    save_file(weights, tmp_path / "model" / "model.safetensors")
    return tmp_path / "model"


class Command:
    """The command line in processes of its own, with toys for trainers; `folder` is its cwd."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []

    def run_here(self, *args):
        """Run it in this process, by one worker: (exit code, stdout, stderr)."""
        words = ["run", *map(str, args), "--workers", "1"]
        done = CliRunner().invoke(main, words, env={"COLUMNS": "80"})
        assert done.exception is None or isinstance(done.exception, SystemExit), done
        return done.exit_code, done.stdout, done.stderr

    def start(self, *args, pause_at=None, spread=None, tests=None, **options):
        """Start it in a process group of its own, every toy pausing at version `pause_at`.

        With `spread` toys offer their clients as pieces; see toy_command. It pauses no longer than
        the process `tests` runs, by default this one.
        """
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "80"}
        environment |= {"TOY_TESTS": str(tests or os.getpid())}
        if pause_at is not None:
            environment |= {"TOY_FOLDER": str(self.folder), "TOY_PAUSE_AT": str(pause_at)}
        if spread is not None:
            environment |= {"TOY_FOLDER": str(self.folder), "TOY_SPREAD": spread}
        command = [sys.executable, str(HERE / "toy_command.py"), *map(str, args)]
        self.processes.append(
            subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                text=True,
                start_new_session=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                **options,
            )
        )
        return self.processes[-1]

    def run(self, *args, **options):
        """Run it to its end: (exit code, stdout, stderr)."""
        return self.end(self.start(*args, **options))

    def end(self, process):
        out, err = process.communicate(timeout=100)
        return process.returncode, out, err

    def paused(self, count, process, doing="paused"):
        """Wait until that many toys pause (or are `doing` otherwise); their process ids."""
        while len(found := list(self.folder.glob(f"{doing}-*"))) < count:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        return [int(path.name.split("-")[1]) for path in found]

    def go(self):
        (self.folder / "go").touch()


@pytest.fixture
def command(tmp_path, monkeypatch, toys):
    monkeypatch.chdir(tmp_path)
    found = Command(tmp_path)
    yield found
    for process in found.processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers as well
        process.communicate()
