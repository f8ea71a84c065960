"""A run packed into one file, and priced elsewhere without training."""

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.results.ledger import Ledger
from emulator.runner.recording import archive

NETWORKS = Path(__file__).parents[3] / "scenarios/networks"


@pytest.fixture
def invoke(tmp_path, monkeypatch, toys):
    monkeypatch.chdir(tmp_path)

    def invoked(*args):
        result = CliRunner().invoke(main, list(map(str, args)))
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result.exit_code, result.stdout, result.stderr

    return invoked


@pytest.fixture
def file(invoke, scenario, toys):
    """A run of toys, packed; its recordings are gone."""
    code, _, err = invoke("run", scenario(), "--workers", 1)
    assert code == 0, err
    assert invoke("export", "recording", "runs/toy")[0] == 0
    Path("runs/recordings").rename("elsewhere")
    toys.clear()
    return Path("runs/toy/recording.json.gz")


def rows(folder):
    with closing(sqlite3.connect(f"runs/{folder}/ledger.sqlite")) as db:
        return list(db.iterdump())


def test_it_is_the_run_again_and_takes_nothing_from_it(invoke, file, toys):
    models = sorted(Path("runs/toy/models").rglob("*"))
    code, out, _ = invoke("run", file)
    assert code == 0
    assert "\n0 rounds trained" in out
    assert rows("toy-recorded") == rows("toy")
    assert models
    assert sorted(Path("runs/toy/models").rglob("*")) == models
    assert not toys
    assert not Path("runs/recordings").exists()


def test_networks_it_never_saw_cost_other_times_and_the_same_bytes(invoke, file, toys):
    networks = [NETWORKS / "4g_cell.yaml", NETWORKS / "leo.yaml"]
    code, _, err = invoke("run", file, *(f"--network={network}" for network in networks))
    assert code == 0, err
    before = json.loads(Path("runs/toy/results.json").read_text())
    after = json.loads(Path("runs/toy-recorded-on-4g_cell-on-leo/results.json").read_text())
    assert {row["variant"] for row in after} == {"4g_cell", "leo"}
    learned = "bytes_down", "bytes_up", "final_accuracy", "rounds_to_target"
    for row in after:
        (own, _) = [r for r in before if r["method"] == row["method"]]
        assert {key: row[key] for key in learned} == {key: own[key] for key in learned}
        assert row["duration_s"] != own["duration_s"]
    assert not toys


def test_a_folder_of_networks_is_each_of_them(invoke, file):
    code, out, err = invoke("check", file, "--network", NETWORKS)
    assert code == 0, err
    assert f"({len(list(NETWORKS.glob('*.yaml')))} variants)" in out
    assert "3 of 3 trainings, 3 to the end" in out


@pytest.mark.parametrize(
    "change",
    [
        "policy={kind: deadline, deadline: 1 ms}",
        "selection=oort",
        "network.clients.availability={kind: on_off, on: 9 min, off: 1 min}",
        "compute.max_rank={kind: choice, values: [4, 16]}",
    ],
)
def test_check_promises_nothing_where_the_network_decides_who_takes_part(invoke, file, change):
    assert ", 3 to the end\n" in invoke("check", file)[1]
    out = invoke("check", file, "--set", change)[1]
    assert ", 3 perhaps to the end (who takes part is not known until it is run)\n" in out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("training.rounds=6", "asks for a round that is not among the 4 recorded"),
        ("policy={kind: deadline, deadline: 1 ms}", "asks for a round that is not among the 4"),
        ("training.seeds=[0, 1]", "LoRA, seed 1: is not recorded"),
    ],
)
def test_what_would_have_to_be_trained_is_said_and_not_done(invoke, file, toys, change, said):
    code, _, err = invoke("run", file, "--set", change)
    assert code == 2
    assert said in err
    assert "not finished: LoRA" in err
    assert "; the first: " in err
    assert "no states to train on from" in err
    assert "that trains what is missing" in err
    assert not toys


def test_what_the_recording_has_nothing_of_leaves_the_folder_as_it_was(invoke, file, toys):
    assert invoke("run", file)[0] == 0
    before = rows("toy-recorded")
    code, out, err = invoke("run", "runs/toy-recorded", "--set", "training.seeds=[1]")
    assert (code, out) == (2, "")
    assert err == (
        "error: runs/toy-recorded/replayed.json.gz: the packed recording does not have 3 of 3 "
        "trainings: LoRA; head; FLASC\n"
        "hint: run the scenario that it was made of instead: that trains what is missing\n"
    )
    assert rows("toy-recorded") == before
    assert not toys


def test_a_target_that_the_recording_does_not_reach_is_said_with_the_best(invoke, file, toys):
    best = {name: f"{score:.3f}" for name, score in best_scores().items()}
    assert invoke("run", file)[0] == 0
    before = rows("toy-recorded")
    higher = ["--set", "training.rounds=8", "--set"]
    code, out, err = invoke("run", file, *higher, "training.target.accuracy=99%")
    assert (code, out) == (2, "")
    (error,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert error == (
        "error: not finished: 3 of 3 trainings: target 0.99 was not reached within the recording: "
        f"best {best['LoRA']} (LoRA), {best['head']} (head), {best['FLASC']} (FLASC)"
    )
    assert f"LoRA: target 0.99 was not reached within the recording: best {best['LoRA']}" in err
    assert "run the scenario that it was made of" in err
    assert "same command" not in err
    assert rows("toy-recorded") == before
    # A target that only `head` reaches: the others are missing in the report.
    code, out, err = invoke("run", file, *higher, "training.target={accuracy: 55%, stop_after: 0}")
    assert code == 2
    report = " ".join(invoke("report", "runs/toy-recorded")[1].split())
    said = f"was not reached within the recording: best {best['LoRA']} (LoRA), {best['FLASC']} (FL"
    for text in (" ".join(out.split()), err, report):
        assert said in text
        assert "same command" not in text
    assert not toys


def best_scores():
    found = json.loads(Path("runs/toy/results.json").read_text())
    return {row["method"]: row["best_accuracy"] for row in found}


def test_the_folder_of_a_replay_has_the_recording(invoke, file, toys):
    assert invoke("run", file)[0] == 0
    same = invoke("check", file)[1]
    file.unlink()
    Path("runs/toy-recorded").rename("moved")
    assert invoke("check", "moved")[1] == same
    leo = ["--network", NETWORKS / "leo.yaml"]
    code, out, err = invoke("run", "moved", *leo)
    assert code == 0, err
    assert "\n0 rounds trained, 12 recorded before (3 trainings, 3 simulations).\n" in out
    assert err == "replayed from recordings: 3 of 3 trainings\n"
    assert invoke("export", "recording", "moved", "--out", "again.json.gz")[0] == 0
    assert invoke("run", "again.json.gz", "--out", "again")[0] == 0
    assert not toys
    assert not Path("runs/recordings").exists()


def test_another_run_in_the_same_folder_forgets_the_packed_recording(invoke, scenario, file):
    assert invoke("run", file, "--out", "here")[0] == 0
    assert invoke("run", scenario(), "--workers", 1, "--out", "here")[0] == 0
    assert not Path("here/replayed.json.gz").exists()
    assert invoke("run", file, "--out", "here")[0] == 0
    assert not Path("here/recordings.json").exists()


def test_recordings_of_its_own_are_said(invoke, scenario, file):
    code, _, err = invoke("run", scenario(), "--recordings", file)
    assert code == 2
    assert f"To replay the file, run: flasc-emu run {file}\n" in err
    code, _, err = invoke("run", file, "--recordings", "elsewhere")
    assert code == 2
    assert f"beside the packed recording {file}, which has its own" in err


def test_what_is_not_recorded_to_its_end_is_not_packed(invoke, scenario, file):
    code, _, err = invoke("export", "recording", scenario(), "--out", "x.json.gz")
    assert code == 2
    assert "found no complete recording of LoRA, seed 0" in err
    assert "--recordings" in err
    only = invoke(
        "export", "recording", "runs/toy", "--method", "head",
        "--recordings", "elsewhere", "--out", "x.json.gz",
    )  # fmt: skip
    assert only[0] == 0
    assert "of 1 of 1 training, 1 to the end" in invoke("check", "x.json.gz")[1]


def test_what_other_scenarios_recorded_is_left_out(invoke, scenario, file):
    """Twice the rounds of the same trainings, and other clients in them."""
    before = file.read_bytes()
    Path("elsewhere").rename("runs/recordings")
    more = ["--set", "name=more", "--set", "training.rounds=8"]
    assert invoke("run", scenario(), "--workers", 1, *more)[0] == 0
    asked = ["--set", "name=asked", "--set", "policy={kind: overselection, select: 5}"]
    assert invoke("run", scenario(), "--workers", 1, *asked)[0] == 0
    assert invoke("export", "recording", "runs/toy")[0] == 0
    assert file.read_bytes() == before


def test_a_damaged_file_is_one_message(invoke, file):
    file.write_bytes(file.read_bytes()[:-20])
    for command in ("run", "check"):
        code, _, err = invoke(command, file)
        assert code == 2
        assert "not a packed recording" in err
        assert "Traceback" not in err


def only_method(name):
    """A scenario with one of its methods."""
    others = {"LoRA", "head", "FLASC"} - {name}
    return [f"--set=methods.{other}=null" for other in others]


@pytest.fixture
def packed(invoke, scenario):
    """Runs a part of the scenario, with recordings of its own as on another machine; packs it."""

    def made(name, *changes):
        own = [f"--recordings={name}.recordings"]
        code, _, err = invoke(
            "run", scenario(), "--workers", 1, "--out", f"runs/{name}", *own, *changes
        )
        assert code == 0, err
        file = Path(f"{name}.json.gz")
        assert invoke("export", "recording", f"runs/{name}", "--out", file, *own)[0] == 0
        return file

    return made


def simulations(run):
    """All rows of each simulation of a run."""
    with Ledger.open(Path(f"runs/{run}/ledger.sqlite")) as ledger:
        return {each: ledger.rows(each) for each in ledger.emulations()}


def test_joined_trainings_replay_as_each_of_them(invoke, packed, toys):
    """Seeds of one day, and of another; the second source is the folder of a run."""
    one = packed("one", "--set=training.seeds=[3, 0]")
    packed("two", "--set=training.seeds=[1]")
    toys.clear()
    code, out, err = invoke(
        "export", "recording", one, "runs/two", "--recordings=two.recordings", "--out", "c.json.gz"
    )
    assert (code, out, err) == (0, "c.json.gz\n", "")
    code, _, err = invoke("run", "c.json.gz", "--out", "runs/c")
    assert code == 0, err
    assert simulations("c") == simulations("one") | simulations("two")
    assert not toys
    assert invoke("export", "recording", one, "c.json.gz", "--out", "d.json.gz")[0] == 0
    assert Path("d.json.gz").read_bytes() == Path("c.json.gz").read_bytes()


def test_methods_are_joined_in_the_order_of_the_files(invoke, packed):
    files = [packed(name, *only_method(name)) for name in ("head", "LoRA")]
    assert invoke("export", "recording", *files, "--out", "c.json.gz")[0] == 0
    assert archive.read(Path("c.json.gz")).methods == ["head", "LoRA"]
    assert invoke("run", "c.json.gz", "--out", "runs/c")[0] == 0
    assert simulations("c") == simulations("head") | simulations("LoRA")


@pytest.mark.parametrize("order", [["short", "long"], ["long", "short"]])
def test_of_a_training_in_both_the_longer_is_kept(invoke, packed, order):
    files = {
        "short": packed("short", "--set=training.rounds=5", "--set=training.evaluation.every=3"),
        "long": packed("long", "--set=training.rounds=8", "--set=training.evaluation.every=3"),
    }
    code, _, err = invoke(
        "export", "recording", *(files[name] for name in order), "--out", "c.json.gz"
    )
    assert (code, err) == (0, "")
    assert invoke("run", "c.json.gz", "--out", "runs/c")[0] == 0
    assert simulations("c") == simulations("long")
    again = invoke("run", "c.json.gz", "--set=training.rounds=5", "--out", "runs/again")
    assert again[0] == 0, again
    assert simulations("again") == simulations("short")


def test_what_no_file_has_is_named(invoke, packed):
    """A method without the other's seed, and one with fewer rounds."""
    lora = packed("LoRA", *only_method("LoRA"), "--set=training.seeds=[0, 1]")
    head = packed("head", *only_method("head"), "--set=training.rounds=2")
    code, _, err = invoke("export", "recording", lora, head, "--out", "c.json.gz")
    assert code == 0
    assert err.splitlines() == [
        f"warning: c.json.gz does not have all rounds of head, seed {seed}, which the scenario "
        "asks for"
        for seed in (0, 1)
    ]
    code, _, err = invoke("run", "c.json.gz", "--out", "runs/c")
    assert code == 2
    assert "not finished: head" in err
    assert simulations("c") == simulations("LoRA")
    shorter = ["--method=head", "--set=training.rounds=2", "--set=training.seeds=[0]"]
    assert invoke("run", "c.json.gz", *shorter, "--out", "runs/shorter")[0] == 0
    assert simulations("shorter") == simulations("head")


def test_trainings_that_contradict_each_other_are_refused(invoke, packed):
    one = packed("one")
    whole = json.loads(gzip.decompress(one.read_bytes()))
    (upload, *_) = (fact for fact in whole["trainings"][1]["facts"] if fact[0] == "upload")
    upload[3] += 1  # its bytes
    Path("two.json.gz").write_bytes(gzip.compress(json.dumps(whole).encode()))
    code, _, err = invoke("export", "recording", one, "two.json.gz", "--out", "c.json.gz")
    assert code == 2
    assert (
        "one.json.gz and two.json.gz: two recordings of head, seed 0, that differ in the upload "
        f"of client {upload[2]} after 0 rounds" in err
    )
    assert not Path("c.json.gz").exists()
    kept = invoke("export", "recording", one, "two.json.gz", "--method=LoRA", "--out", "c.json.gz")
    assert kept[0] == 0
    assert archive.read(Path("c.json.gz")).methods == ["LoRA"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("network.clients.rtt=50 ms", "network.clients.rtt: found '50 ms'; allowed: '40 ms'"),
        ("training.cohort=4", "training.cohort: found 4; allowed: 3"),
        ("training.server.lr=0.5", "training.server.lr: found 0.5; allowed: none"),
        ("methods.head.client_lr=0.5", "methods.head.client_lr: found 0.5; allowed: none"),
        ("vary.upload.slow=null", "vary.upload.slow: found none; allowed: {"),
    ],
)
def test_another_scenario_is_refused_with_its_first_difference(invoke, packed, change, said):
    one, two = packed("one"), packed("two", "--set", change)
    code, _, err = invoke("export", "recording", one, two, "--out", "c.json.gz")
    assert code == 2
    assert f"two.json.gz: {said}" in err
    assert ", as in one.json.gz" in err
    assert "only its methods, seeds and rounds may differ" in err
