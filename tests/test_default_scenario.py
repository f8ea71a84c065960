"""The default scenario on real data and weights, at a reduced size, by the command line."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.runner import inputs
from emulator.simulation.records import Transfer
from emulator.simulation.simulate import simulate

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("main job")]
ROOT = Path(__file__).parent.parent
SMOKE = ROOT / "scenarios/smoke.yaml"


def start(folder, *args):
    """Start a run in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    command = [sys.executable, "-m", "emulator", "run", str(SMOKE), *args]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def end(process, timeout):
    """What it printed until its end; none outlives the tests."""
    try:
        return process.communicate(timeout=timeout)
    finally:
        process.kill()
        process.communicate()


def run(folder, *args):
    """Run in this process, by one worker; what it printed."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        words = ["run", str(SMOKE), "--workers", "1", *args]
        done = CliRunner().invoke(main, words, env={"COLUMNS": "80"})
    finally:
        os.chdir(before)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def rows(folder):
    """Every row of the ledger, as SQL."""
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as db:
        return list(db.iterdump())


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished run by two workers: its folder, what it printed, and its ledger's rows.

    No model is scored on the test split, which takes longer than the training.
    """
    folder = tmp_path_factory.mktemp("main-job")
    process = start(folder, *UNTESTED, "--workers", "2")
    out, err = end(process, timeout=500)
    assert process.returncode == 0, err
    return folder, out, err, rows(folder / "runs/smoke")


SMALL = ("--set", "training.cohort=2", "--set", "training.evaluation.examples=50")
UNTESTED = (*SMALL, "--set", "training.evaluation.test=false")
METHOD = "FLASC 1/4 down, 1/16 up"


@pytest.fixture(scope="module")
def alone(done):
    """Results and ledger of one method's trainings, from a run of its own."""
    run(done[0], *UNTESTED, "--method", METHOD, "--out", "alone")
    return results(done[0] / "alone"), rows(done[0] / "alone")


def results(folder):
    return json.loads((folder / "results.json").read_text())


def test_it_prints_a_table_and_writes_what_it_promises(done):
    folder, out, err, _ = done
    methods = inputs.read(SMOKE).methods
    for method in methods:
        assert method.split()[0] in out
    assert "16x" in out
    assert "rounds trained" in out
    assert max(map(len, out.splitlines()[:12])) <= 80
    for name in ("index.html", "figure.png", "figure.svg", "ledger.sqlite", "results.json"):
        assert (folder / "runs/smoke" / name).stat().st_size > 0
    # A method's line came before the end of the run, with progress between.
    assert "accuracy" in err


def test_results_are_one_row_a_method_variant_and_seed(done):
    found = results(done[0] / "runs/smoke")
    read = inputs.read(SMOKE)
    assert [(r["method"], r["variant"], r["seed"]) for r in found] == [
        (m, v, 0) for m in read.methods for v in read.variants
    ]
    for row in found:
        reached = row["time_to_target_s"] is not None
        assert reached == (row["rounds_to_target"] is not None)
        assert row["bytes_down"] > 0 < row["bytes_up"]
        assert 0 < row["final_accuracy"] < 1
        assert row["test_accuracy"] is None
        parts = row["download_s"] + row["compute_s"] + row["upload_s"] + row["waiting_s"]
        until = row["time_to_target_s"] if reached else row["duration_s"]
        assert parts == pytest.approx(until, rel=1e-9)


def test_slower_uploads_take_longer_and_learn_the_same(done):
    by = {(r["method"], r["variant"]): r for r in results(done[0] / "runs/smoke")}
    variants = list(inputs.read(SMOKE).variants)
    for method in inputs.read(SMOKE).methods:
        runs = [by[method, variant] for variant in variants]
        assert runs[0]["duration_s"] < runs[1]["duration_s"] < runs[2]["duration_s"]
        for key in ("final_accuracy", "bytes_up", "bytes_down", "rounds_to_target"):
            assert len({r[key] for r in runs}) == 1


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # PEFT 0.21 reads it
def test_models_are_adapters_that_peft_loads(done):
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    from flasc.assets.catalogue import locate

    folders = sorted((done[0] / "runs/smoke/models").iterdir())
    assert len(folders) == len(inputs.read(SMOKE).methods)
    for folder in folders:
        base = AutoModelForSequenceClassification.from_pretrained(locate("minilm"), num_labels=20)
        model = PeftModel.from_pretrained(base, folder)
        assert model.peft_config["default"].r == 16


def test_the_test_split_is_scored_of_what_is_recorded(alone, done):
    out = run(done[0], *SMALL, "--method", METHOD, "--out", "tested")
    assert "\n0 rounds trained" in out
    found = results(done[0] / "tested")
    for row in found:
        assert 0 < row["test_accuracy"] < 1
        row["test_accuracy"] = row["test_accuracy_at_target"] = None
    assert found == alone[0]


def test_again_and_under_another_network_nothing_is_trained(done):
    folder, _, _, before = done
    smoke = folder / "runs/smoke"
    out = run(folder, *UNTESTED)
    assert "\n0 rounds trained" in out
    assert rows(smoke) == before
    first = results(smoke)
    out = run(folder, *UNTESTED, "--out", "far", "--set", "network.clients.rtt=200 ms")
    assert "\n0 rounds trained" in out
    for old, new in zip(first, results(folder / "far"), strict=True):
        assert new["final_accuracy"] == old["final_accuracy"]
        # Each of six rounds waits two RTT down and one and a half up, 160 ms longer each, and
        # whatever slow start adds.
        assert new["duration_s"] > old["duration_s"] + 6 * 3.5 * 0.16 - 1e-9
    fluid = (*UNTESTED, "--set", "network.transport=fluid")
    run(folder, *fluid, "--out", "fluid")
    run(folder, *fluid, "--out", "fluid and far", "--set", "network.clients.rtt=200 ms")
    for old, new in zip(results(folder / "fluid"), results(folder / "fluid and far"), strict=True):
        assert new["duration_s"] == pytest.approx(old["duration_s"] + 6 * 0.16, rel=1e-9)


def stop_after(aggregated, how, folder):
    """Run, and send a signal when so many rounds are recorded; what it printed on stderr."""
    process = start(folder, *UNTESTED, "--method", METHOD, "--workers", "1")
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        logs = list(folder.glob("runs/recordings/*/log.jsonl"))
        if logs and logs[0].read_text().count('"aggregate"') >= aggregated:
            process.send_signal(how)
            break
        time.sleep(0.02)
    _, err = end(process, timeout=60)
    assert process.returncode == (-9 if how == signal.SIGKILL else 130), err
    return err


def test_killed_in_the_middle_and_run_again_it_is_the_unbroken_run(alone, tmp_path):
    err = stop_after(2, signal.SIGINT, tmp_path)
    assert "run the same command again" in err
    assert "Traceback" not in err
    stop_after(4, signal.SIGKILL, tmp_path)
    out = run(tmp_path, *UNTESTED, "--method", METHOD)
    trained = int(out.split(" rounds trained")[0].split()[-1])
    assert 0 < trained <= 2  # the first four were not done again
    smoke = tmp_path / "runs/smoke"
    assert len(results(smoke)) == 3
    assert (results(smoke), rows(smoke)) == alone


def test_the_ledgers_bytes_are_the_lengths_of_the_encoded_messages():
    from flasc import codec
    from flasc.training import trainer

    read = inputs.read(SMOKE, ["training.rounds=2"])
    scenario = read.variants["4x slower"]
    live = trainer.make(scenario.training_settings(METHOD, 0))
    sent = []

    class Listening:
        def download(self, client):
            sent.append(("down", live.download(client)))
            return sent[-1][1]

        def train(self, downloads):
            uploads = live.train(downloads)
            sent.extend(("up", upload) for upload in uploads)
            return uploads

        def __getattr__(self, name):
            return getattr(live, name)

    found = [r for r in simulate(scenario, 0, Listening()) if isinstance(r, Transfer)]
    assert len(found) == len(sent) == 2 * 2 * 4
    by_place = {(r.round, r.direction, r.client): r.nbytes for r in found}
    for direction, message in sent:
        place = (message.version + 1, direction, message.client)
        assert by_place.pop(place) == len(message.content)
        # And those bytes are the message: decoding and encoding again gives them back.
        decoded = codec.decode(message.content, n=live.adapter.n)
        assert codec.encode(decoded.values, decoded.indices, decoded.n) == message.content
    assert not by_place


def test_a_published_recording_needs_no_states(done, tmp_path):
    """States and models left out, settings and log alone price a new network."""
    folder = done[0]
    for recording in (folder / "runs/recordings").iterdir():
        target = tmp_path / "runs/recordings" / recording.name
        target.mkdir(parents=True)
        for name in ("settings.json", "log.jsonl"):
            (target / name).write_bytes((recording / name).read_bytes())
    out = run(tmp_path, *UNTESTED, "--set", "network.clients.rtt=1 s")
    assert "\n0 rounds trained" in out
    assert not (tmp_path / "runs/smoke/models").exists()
    assert all(r["duration_s"] > 6 for r in results(tmp_path / "runs/smoke"))
