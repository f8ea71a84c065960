import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from emulator.cli import main
from emulator.reports import plot_style
from emulator.results.ledger import Ledger
from emulator.runner import defaults, training_job, training_pace
from emulator.simulation.records import Computation, Emulation, Evaluation, Round, Row, Transfer

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


@pytest.fixture(autouse=True)
def no_bf16(monkeypatch):
    """What is told does not depend on the processor that runs the tests."""
    monkeypatch.setattr(defaults, "bf16_unit", lambda: "")


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


@pytest.fixture(autouse=True)
def no_pace(monkeypatch):
    """No estimate from what this machine trained before, and none left behind."""
    monkeypatch.setattr(training_pace, "NAME", "/dev/null/none")


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
def sparse_toys(toys, monkeypatch):
    """Toys that send what their densities say and learn more slowly if that is less; their points.

    FLASC of rank 64 diverges in its second round.
    """
    make = training_job._real_trainer
    made = []

    def sparse(settings, *args):
        toy, provenance = make(settings, *args)
        if settings.method.kind == "flasc":
            rank, down, up = settings.lora.rank, settings.method.down, settings.method.up
            toy.down_bytes, toy.up_bytes = (int(50_000 * rank * way) for way in (down, up))
            toy.tau, toy.diverges = 4 / (down * up) ** 0.25, rank == 64
            made.append((rank, down, up, settings.seed))
        return toy, provenance

    monkeypatch.setattr(training_job, "_real_trainer", sparse)
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


# A small run whose every number is known: one client a round, whole seconds, straight curves.
ROUNDS = 10


def rows(gain: float, upload_s: int, seed: int) -> Iterable[Row]:
    """A round is 2 s down, 1 s of compute and `upload_s` up; accuracy k * gain after k rounds.

    Every seed after the first takes 1 s more to compute.
    """
    length_s = 3 + seed + upload_s
    yield Evaluation(0, 0.0, "validation", 1000, 0.0, 3.0)
    for k in range(1, ROUNDS + 1):
        end_s = float(k * length_s)
        start_s = end_s - length_s
        yield Transfer(k, 5, "down", 4000, start_s, start_s + 2)
        yield Computation(k, 5, 32, 2, start_s + 2, start_s + 3 + seed)
        yield Transfer(k, 5, "up", 1000, start_s + 3 + seed, end_s)
        yield Round(k, 1, start_s, end_s)
        yield Evaluation(k, end_s, "validation", 1000, k * gain, 3.0 - k * gain)
    yield Evaluation(ROUNDS, end_s, "test", 2000, k * gain - 0.01, 3.0)


Write = Callable[..., Path]


@pytest.fixture
def write_run(tmp_path: Path) -> Write:
    """Write a ledger: methods by their gain a round, variants by their upload seconds.

    `factors` of variants change the gain; `meta` replaces what the run is told, None leaves it out.
    """

    def write(
        methods: dict[str, float],
        variants: dict[str, int],
        /,
        seeds: Iterable[int] = (0,),
        absent: Iterable[Emulation] = (),
        factors: Mapping[str, float] | None = None,
        **meta: str | None,
    ) -> Path:
        told = {
            "name": "slow upload",
            "target": "0.5",
            "split": "validation, first 1000 of 2259 examples",
            "scenario": "name: slow upload\n",
            "provenance": '{"versions": {"flasc-emu": "0.1.0"}}',
            "methods": json.dumps(list(methods)),
            "variants": json.dumps(list(variants)),
        }
        kept = {key: text for key, text in (told | meta).items() if text is not None}
        with Ledger.create(tmp_path / "ledger.sqlite", kept) as ledger:
            for method, gain in methods.items():
                for variant, upload_s in variants.items():
                    for seed in seeds:
                        emulation = Emulation(method, variant, seed)
                        if emulation not in absent:
                            its = gain * (factors or {}).get(variant, 1.0)
                            ledger.write(emulation, rows(its, upload_s, seed))
            return ledger.path

    return write


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A headless Chromium, as in reports/browser.py; skips where there is none."""
    module = runpy.run_path(str(HERE / "reports/browser.py"))
    if not module["FOUND"]:
        pytest.skip("no chromium, google-chrome or chrome on PATH")
    one = module["Browser"](tmp_path_factory.mktemp("profile"))
    yield one
    one.close()
