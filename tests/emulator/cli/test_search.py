"""The command `search`: output, files, exit codes and messages."""

import json
import re
import shlex
from pathlib import Path

import pytest

from emulator import Scenario, search

SETTINGS = (
    "training.rounds=40",
    "training.target={accuracy: 0.5, stop_after: 1}",
    "task.tokens=32",
)
ROUNDS = tuple(word for each in SETTINGS for word in ("--set", each))
FAST = ("--workers", "1", "--variant", "slow", "--down", "1,1/4", "--up", "1/4,1/16", *ROUNDS)
OUT = Path("runs/toy-search-slow")


@pytest.fixture
def searched(invoke, scenario, sparse_toys):
    """Search the toy scenario: (exit code, stdout, stderr)."""
    return lambda *args: invoke("search", scenario(), *FAST, *args)


def test_it_says_each_step_and_what_it_recommends(searched):
    code, out, err = searched()
    assert code == 0
    lines = [line for line in err.splitlines() if " simulated " not in line]
    assert lines[0].startswith("start: FLASC: ")
    assert all("faster than" in line for line in lines[1:])
    said = json.loads((OUT / "search.json").read_text("utf-8"))
    assert len(lines) == 1 + len(said["steps"])
    text = " ".join(out.split())
    assert f"Recommended: {said['recommended']}. It takes " in text
    assert "under the variant 'slow' (one seed)" in text
    assert "3 of 4 configurations were tried (3 trained)" in text
    assert f"Written to {OUT}/: recommended.yaml, search.json and the files of a run" in text
    assert max(map(len, out.splitlines())) <= 80
    for name in ("index.html", "ledger.sqlite", "results.json", "recommended.yaml"):
        assert (OUT / name).stat().st_size > 0


def test_its_folder_is_that_of_a_run_and_its_scenario_runs(searched, invoke):
    searched()
    said = json.loads((OUT / "search.json").read_text("utf-8"))
    code, out, _ = invoke("compare", OUT)
    assert code == 0
    assert "slow" in out
    code, out, _ = invoke("report", OUT)
    assert code == 0
    code, out, _ = invoke("run", OUT / "recommended.yaml", "--no-train", "--workers", "1")
    assert code == 0
    assert said["recommended"].split()[0] in out
    assert Path("runs/toy-recommended/ledger.sqlite").exists()


def test_running_again_trains_nothing(searched, sparse_toys):
    searched()
    made = len(sparse_toys)
    _, out, err = searched()
    assert len(sparse_toys) == made
    assert "(0 trained)" in " ".join(out.split())
    assert "(trained)" not in err


def test_progress_in_json_is_all_that_stderr_has(searched):
    code, _, err = searched("--progress", "json")
    events = [json.loads(line) for line in err.splitlines()]
    assert code == 0
    assert {e["method"] for e in events if e["event"] == "done"} > {"FLASC"}
    notes = [e["text"] for e in events if e["event"] == "note" and "training" not in e]
    assert notes[0].startswith("start: FLASC: ")
    assert searched("--progress", "none", "--out", "other")[2] == ""
    assert Path("other/search.json").exists()


def test_a_limit_is_kept_and_said(searched, sparse_toys):
    _, out, _ = searched("--trainings", "2")
    assert len(sparse_toys) == 2
    text = " ".join(out.split())
    assert "ended at its limit, and left neighbours of the recommended one untried" in text


def test_a_network_is_one_variant(invoke, scenario, sparse_toys, tmp_path):
    network = tmp_path / "office.yaml"
    clients = "{down: 300 Mbps, up: 100 Mbps, rtt: 10 ms}"
    server = "{down: 1 Gbps, up: 1 Gbps}"
    network.write_text(f"network: {{server: {server}, clients: {clients}}}")
    keys = ("--network", network, "--up", "1/4,1/16", "--down", "1/4", *ROUNDS)
    code, out, _ = invoke("search", scenario(), *keys, "--workers", "1")
    assert code == 0
    assert "under the variant 'office'" in " ".join(out.split())
    assert Path("runs/toy-on-office-search/recommended.yaml").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--variant", "slwo"), "did you mean 'slow'?"),
        (("--method", "LoRA"), "found no 'LoRA' of kind flasc; allowed: FLASC"),
        (("--method", "flasc"), "did you mean 'FLASC'?"),
        (("--set", "training.target=null"), "training.target: missing key"),
        (("--down", "1,1/2"), "the nearest is rank 16, 1/2 down, 1/4 up"),
        (("--down", "1,,1/4"), "found '1,,1/4'; allowed: densities above 0"),
        (("--up", "2"), "found '2'; allowed: densities above 0"),
        (("--up", "[1"), "found '[1'; allowed: densities above 0"),
        (("--rank", "4,x"), "found '4,x'; allowed: ranks from 1 to 1024"),
        (("--rank", "0"), "found '0'; allowed: ranks from 1 to 1024"),
        (("--trainings", "0"), "0 is not in the range x>=1"),
    ],
)
def test_mistakes_are_one_message_and_nothing_is_written(searched, tmp_path, args, said):
    code, out, err = searched(*args)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()


def test_the_page_shows_what_the_command_says(invoke):
    root = Path(__file__).parents[3]
    page = (root / "docs/howto/search_densities.md").read_text("utf-8")
    (shown,) = re.findall(r"^\$ flasc-emu (search recordings/.*?)^```$", page, re.S | re.M)
    command, *lines = shown.splitlines()
    file, *rest = shlex.split(command)[1:]
    code, out, err = invoke("search", root / file, *rest)
    assert code == 0
    cut = lines.index("...")
    assert err.splitlines() == lines[:cut]
    assert " ".join(lines[cut + 1 :]) in " ".join(out.split())


def test_the_same_search_in_python(searched, scenario, sparse_toys):
    searched()
    said = json.loads((OUT / "search.json").read_text("utf-8"))
    made, steps = len(sparse_toys), []
    changes = {"training.rounds": 40, "training.target.stop_after": 1, "task.tokens": 32}
    changes |= {"training.target.accuracy": 0.5}
    found = search(
        Scenario.read(scenario(), changes), variant="slow", down=[1, 0.25], up=[0.25, 0.0625],
        out="python", on_step=steps.append,
    )  # fmt: skip
    assert len(sparse_toys) == made
    assert found.best.name == said["recommended"]
    assert tuple(steps) == found.steps
    assert Path("python/search.json").exists()
