"""Runs against each other, as the command line has them."""

import csv
import io
import json

import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.common.errors import LedgerError
from emulator.runner.compare import compare


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def invoked(*args):
        result = CliRunner().invoke(main, list(map(str, args)))
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result.exit_code, result.stdout, result.stderr

    return invoked


@pytest.fixture
def run(invoke, scenario, toys, monkeypatch):
    """Carry a toy scenario out into runs/NAME, one worker; figures are others' business."""
    monkeypatch.setattr("emulator.runner.run.write_report", lambda *_: None)
    path = scenario()
    law = "up: {kind: lognormal, median: 4 Mbps, sigma: 1}"
    path.write_text(path.read_text().replace("up: 20 Mbps, rtt", f"{law}, rtt").split("vary:")[0])

    def ran(name, *sets, seeds="[0, 1, 2]"):
        options = [o for s in (f"training.seeds={seeds}", *sets) for o in ("--set", s)]
        code, _, err = invoke("run", path, "--workers", 1, "--out", f"runs/{name}", *options)
        assert code == 0, err

    return ran


def test_a_run_is_compared_over_its_seeds(run, invoke):
    run("a")
    code, out, _ = invoke("compare", "runs/a")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "Best under as given, by bytes (median of 3 seeds; not tested):" in out
    rows = list(csv.DictReader(io.StringIO(invoke("compare", "runs/a", "--format", "csv")[1])))
    assert [row["verdict"] for row in rows] == ["baseline", "faster", "faster"]
    found = json.loads(invoke("compare", "runs/a", "--format", "json")[1])
    assert [c["speedup"] for c in found["contrasts"][1:]] == [
        pytest.approx(float(row["speedup"])) for row in rows[1:]
    ]


def test_another_target_is_read_off_the_ledger(run, invoke, tmp_path):
    run("a")
    low, high = (compare([tmp_path / "runs/a"], None, t).contrasts[0] for t in (0.1, 0.25))
    assert low.time_s.median < high.time_s.median
    assert "accuracy 0.10" in invoke("compare", "runs/a", "--target", "10%")[1]
    assert invoke("compare", "runs/a", "--target", "half")[0] == 2


def test_seeds_and_methods_come_together_from_different_runs(run, tmp_path):
    run("whole")
    run("a", seeds="[0, 1]")
    run("b", "methods.LoRA=null", seeds="[2]")
    run("c", "methods.head=null", "methods.FLASC=null", seeds="[2]")
    parts = compare([tmp_path / "runs" / name for name in "abc"])
    assert parts == compare([tmp_path / "runs/whole"])


def test_names_with_two_meanings_are_told_apart(run, tmp_path):
    run("a", seeds="[0]")
    run("b", "network.clients.rtt=1 s", "methods.LoRA.server_lr=0.5", seeds="[0]")
    found = compare([tmp_path / "runs/a", tmp_path / "runs/b"])
    assert {c.variant for c in found.contrasts} == {"as given", f"as given ({tmp_path}/runs/b)"}
    assert {c.method for c in found.contrasts} == {
        "LoRA", "head", "FLASC", f"LoRA ({tmp_path}/runs/b)"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("task.tokens=64", "different tasks: tokens 128 and 64"),
        ("training.evaluation.examples=9", "different tasks: evaluation.examples None and 9"),
        ("training.target.accuracy=0.3", "different targets: 0.2 and 0.3"),
        ("training.target=null", "different targets: 0.2 and None"),
        ("training.target.rule=mean3", "different target rules: first and mean3"),
        ("training.target={loss: 1}", "different target measures: accuracy and loss"),
    ],
)
def test_what_does_not_compare_is_refused_unless_forced(run, tmp_path, change, says):
    run("a", seeds="[0]")
    run("b", change, seeds="[0]")
    folders = [tmp_path / "runs/a", tmp_path / "runs/b"]
    with pytest.raises(LedgerError, match=says) as error:
        compare(folders)
    assert "--force" in error.value.hint
    assert compare(folders, force=True).contrasts
    if "target" in change and "rule" not in change and "loss" not in change:
        assert compare(folders, target=0.1).contrasts


def test_the_rule_of_the_runs_is_kept_and_named(run, invoke, tmp_path):
    run("a", "training.target.rule=mean3", seeds="[0]")
    run("b", seeds="[0]")
    found = {name: compare([tmp_path / f"runs/{name}"], target=0.1) for name in "ab"}
    assert [found[name].rule for name in "ab"] == ["mean3", "first"]
    slower, sooner = (found[name].contrasts[0].time_s.median for name in "ab")
    assert slower > sooner
    said = "measured as the mean of three evaluations in a row"
    assert said in " ".join(invoke("compare", "runs/a")[1].split())
    assert said not in " ".join(invoke("compare", "runs/b")[1].split())


def test_runs_towards_a_loss_are_compared_by_it(run, invoke, tmp_path):
    run("a", "training.target={loss: 1.5, stop_after: 0}", seeds="[0]")
    low, high = (compare([tmp_path / "runs/a"], None, loss) for loss in (1.2, 1.8))
    assert (low.measure, low.target, low.ended_at, high.ended_at) == ("loss", 1.2, 1.5, None)
    assert high.contrasts[0].time_s.median < compare([tmp_path / "runs/a"]).contrasts[0].time_s.low
    assert "Time and bytes to loss 1.50" in invoke("compare", "runs/a")[1]


def test_an_accuracy_above_1_is_refused(run, invoke):
    run("a", seeds="[0]")
    code, _, err = invoke("compare", "runs/a", "--target", "1.2")
    assert (code, "found an accuracy above 1" in err) == (2, True)
    assert invoke("compare", "runs/a", "--target", "0")[0] == 2


def test_beyond_the_runs_own_target_little_is_said(run, invoke, tmp_path):
    run("a", "training.target.stop_after=0", seeds="[0]")
    assert compare([tmp_path / "runs/a"], target=0.9).ended_at == 0.2
    assert compare([tmp_path / "runs/a"], target=0.1).ended_at is None
    assert "soon after 0.20: 'never'" in invoke("compare", "runs/a", "--target", "0.9")[1]


def test_a_folder_that_is_no_run_is_one_message(invoke, tmp_path):
    code, _, err = invoke("compare", "nothing")
    assert code == 2
    assert err.startswith("error: nothing: no such folder\nhint: give the folder of a run")
    (tmp_path / "packed.json.gz").touch()
    code, _, err = invoke("compare", "packed.json.gz")
    assert code == 2
    assert err.startswith("error: packed.json.gz: found a file; allowed: the folder of a run")
    assert "hint: run the scenario or packed recording first" in err


def test_a_metric_goes_by_its_name(run, invoke):
    run("a", "task.name=friends", "methods.head=null", seeds="[0]")
    _, out, _ = invoke("compare", "runs/a")
    assert "next-token accuracy of the last model" in " ".join(out.split())
