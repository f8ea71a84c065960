"""The Flower example: its logs are timed, its app is run for real, and nothing keeps running."""

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import time
import uuid
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.integrations.message_log import read

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples/flower"
LOGS = [EXAMPLE / f"logs/{method}.jsonl" for method in ("dense", "sparse")]
NETWORKS = ("4g_cell", "5g", "cable", "leo")  # those that run.py names


def timed(logs, out, *more):
    """The results of both logs under four networks, by method and network."""
    options = [
        text for n in NETWORKS for text in ("--network", f"{ROOT}/scenarios/networks/{n}.yaml")
    ]
    result = CliRunner().invoke(main, ["run", *map(str, logs), *options, *more, "--out", str(out)])
    assert result.exit_code == 0, result.output
    rows = json.loads((out / "results.json").read_text())
    return {(row["method"], row["variant"]): row for row in rows}


def check_logs(logs):
    """Sparse messages are smaller, in both directions; clients evaluated; the model learned."""
    dense, sparse = map(read, logs)
    values = 4 * 4096 * 20  # bytes of the model
    assert {v.bytes_down // values for v in dense.visits} == {1}
    assert {v.bytes_up // values for v in dense.visits} == {1}
    assert max(v.bytes_up for v in sparse.visits) < values / 12
    assert max(v.bytes_down for v in sparse.visits) < values / 3
    for log in (dense, sparse):
        assert (log.rounds, len(log.visits), len(log.untimed), log.remarks) == (12, 60, 24, ())
        assert set(log.partitions.values()) <= set(range(20))
        assert all(v.seconds is not None and v.examples > 400 for v in log.visits)
        assert [s.round for s in log.scores] == list(range(13))
        assert max(s.value for s in log.scores) > 0.5


def test_the_logs_of_the_example_are_timed_under_four_networks(tmp_path):
    check_logs(LOGS)
    found = timed(LOGS, tmp_path / "out")
    assert len(found) == 8
    for network in NETWORKS:
        dense, sparse = (found[method, network] for method in ("dense", "sparse"))
        assert sparse["bytes_up"] < dense["bytes_up"] / 10
        assert 0 < sparse["duration_s"] < dense["duration_s"]
        assert dense["time_to_target_s"] > 0
    page = (tmp_path / "out/index.html").read_text("utf-8")
    assert "24 requests without training" in page


def test_the_table_of_the_readme_is_what_the_command_prints(tmp_path):
    text = (EXAMPLE / "README.md").read_text("utf-8")
    (block,) = re.findall(r"^```sh\n(flasc-emu run .*?)^```$", text, re.DOTALL | re.MULTILINE)
    words = shlex.split(block.replace("\\\n", ""))
    assert words[2:4] == [str(log.relative_to(ROOT)) for log in LOGS]
    assert words[5:12:2] == [f"scenarios/networks/{name}.yaml" for name in NETWORKS]
    found = timed(LOGS, tmp_path / "out", *words[12:])
    for method in ("dense", "sparse"):
        rows = [found[method, network] for network in NETWORKS]
        seconds = [f"{row['time_to_target_s']:.1f} s" for row in rows]
        down, up = (rows[0][f"bytes_{way}_to_target"] for way in ("down", "up"))
        sizes = f"{down / 1e6:.1f} / {up / 1e6:.1f}"
        cells = [method, *seconds, str(rows[0]["rounds_to_target"]), sizes]
        assert f"| {' | '.join(cells)} |\n" in text


def run_example(*args, **environment):
    return subprocess.run(
        [sys.executable, EXAMPLE / "run.py", *args],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(find_spec("flwr") is not None, reason="Flower is here")
def test_the_example_says_that_flower_is_missing(tmp_path):
    said = run_example(tmp_path / "logs", PATH="/nowhere")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == (
        "error: flower-superlink: found no such command; allowed: an environment with Flower\n"
        "hint: pip install -e '.[flower]'\n"
    )


def test_the_example_overwrites_no_log():
    said = run_example(EXAMPLE / "logs")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith(f"error: {LOGS[0]}: found a file; allowed: a new name\n")


@pytest.fixture
def wire(monkeypatch):
    """The functions of the example's `wire.py`."""
    pytest.importorskip("flwr", reason="pip install 'flasc-emu[flower]'")
    monkeypatch.syspath_prepend(EXAMPLE)
    return runpy.run_path(str(EXAMPLE / "flasc_flower/wire.py"))


def test_a_sparse_message_has_the_largest_values(wire):
    rng = np.random.default_rng(0)
    vector = rng.normal(size=wire["SIZE"]).astype(np.float32)
    assert (wire["vector_in"](wire["dense"](vector)) == vector).all()
    found = wire["vector_in"](wire["sparse"](vector, 1 / 16))
    kept = found != 0
    assert kept.sum() == wire["SIZE"] // 16
    assert (found[kept] == vector[kept]).all()
    assert np.abs(vector[kept]).min() >= np.abs(vector[~kept]).max()
    assert wire["sparse"](np.zeros(wire["SIZE"], np.float32), 0.5).count_bytes() < 200


def processes_with(mark):
    """The ids of processes whose environment has `mark`: those that the example started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue  # it has ended, or belongs to another user
    return found


@pytest.mark.slow
@pytest.mark.real
def test_the_example_runs_for_real_and_leaves_nothing_running(tmp_path):
    pytest.importorskip("flwr", reason="pip install 'flasc-emu[flower]'")
    mark = uuid.uuid4().hex
    said = run_example(tmp_path / "logs", FLASC_EMU_TEST=mark)
    assert said.returncode == 0, said.stdout + said.stderr
    end = time.monotonic() + 30
    while (left := processes_with(mark)) and time.monotonic() < end:
        time.sleep(0.5)  # Ray's processes end after their parent
    assert left == []
    logs = [tmp_path / f"logs/{path.name}" for path in LOGS]
    check_logs(logs)
    (line,) = re.findall("^flasc-emu run .*$", said.stdout, re.MULTILINE)
    assert line.split()[2:] == [
        *map(str, logs),
        *(text for name in NETWORKS for text in ("--network", f"scenarios/networks/{name}.yaml")),
    ]
    assert len(timed(logs, tmp_path / "out")) == 8
