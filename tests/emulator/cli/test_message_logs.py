"""Message logs at the command line: valid ones, and thousands that are not."""

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.runner import inputs
from emulator.runner.events import ignore
from emulator.runner.training_job import Options, run_training
from flasc.training.shared_models import SharedModels

NETWORKS = Path(__file__).parents[3] / "scenarios/networks"
HEADER = {
    "flasc_emu_message_log": 1, "run": "toy", "method": "FedAvg", "clients": 9, "target": 0.2,
}  # fmt: skip
JSONL = "\n".join(
    json.dumps(each)
    for each in [
        HEADER,
        {"kind": "client", "client": 7, "group": "phones", "examples": 20},
        *(
            {
                "kind": "visit", "round": n, "client": c, "bytes_down": 90_000, "bytes_up": 40_000,
                "seconds": 1.5, "examples": 20,
            }
            for n in (1, 2, 3) for c in (7, "b")
        ),
        {"kind": "visit", "round": 3, "client": 8, "bytes_down": 90_000, "failed": True},
        *({"kind": "score", "round": n, "value": n / 10, "loss": 1 / (n + 1)} for n in (0, 1, 3)),
    ]
)  # fmt: skip
CSV = """\
# flasc_emu_message_log: 1
# run: toy
# method: FedProx
# clients: 9
kind,round,client,bytes_down,bytes_up,seconds,examples,failed,merged,value
visit,1,7,90000,40000,1.5,20,,,
visit,1,b,90000,40000,2.5,20,false,true,
visit,2,7,90000,40000,1.5,20,,,
visit,2,b,90000,40000,1.5,20,,false,
score,2,,,,,,,,0.25
"""
FOUR = """\
federated_round,sender,receiver,amount_of_bytes
0,-1,3,90000
0,-1,5,90000
0,3,-1,40000
0,5,-1,40000
1,-1,3,90000
1,3,-1,40000
"""
FALLING = """\
# flasc_emu_message_log: 1
# run: toy
# method: FedAvg
# metric: perplexity
# direction: lower
# target: 12
kind,round,client,bytes_down,bytes_up,seconds,examples,split,value,loss
score,0,,,,,,validation,60.5,4.1
visit,1,7,90000,40000,1.5,20,,,
visit,1,b,90000,40000,2.5,20,,,
score,1,,,,,,validation,25,3.2
visit,2,7,90000,40000,1.5,20,,,
score,2,,,,,,validation,11.25,2.4
visit,3,7,90000,40000,1.5,20,,,
score,3,,,,,,validation,13,
score,3,,,,,,test,14.5,
"""
SPARSE = FALLING.replace("FedAvg", "FLASC").replace("40000", "9000").replace("11.25", "12.5")
LOGS = {
    "log.jsonl": JSONL + "\n", "log.csv": CSV, "four.csv": FOUR, "falling.csv": FALLING,
    "sparse.csv": SPARSE,
}  # fmt: skip
HOSTILE = [
    "", "0", "-1", "1.5", "1e999", "NaN", "null", "true", '"x"', "[]", "{}", '"\\ud800"', "9" * 30,
    "1e-320", "10000000000000", '"7"', "visit", "score", '"kind"', "#", ",", '"', "\x00", "\u2028",
]  # fmt: skip


def mutated(text, seed):
    """`text` with a few changes: bytes, lines, values, an end."""
    draw = random.Random(seed)
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        lines = text.split("\n")
        at, line = draw.randrange(max(len(text), 1)), draw.randrange(len(lines))
        match draw.randrange(9):
            case 0:
                text = text[:at] + draw.choice(HOSTILE) + text[at + draw.randrange(3) :]
            case 1:
                text = text[:at] + chr(draw.randrange(1, 0x2100)) + text[at + 1 :]
            case 2:
                text = "\n".join(lines[:line] + lines[line + 1 :])
            case 3:
                text = "\n".join([*lines[: line + 1], *lines[line:]])
            case 4:
                text = text[:at]
            case 5:
                draw.shuffle(lines)
                text = "\n".join(lines)
            case _:  # one value or one key is another
                parts = [*lines[line].replace(":", "\0:\0").replace(",", "\0,\0").split("\0")]
                parts[draw.randrange(len(parts))] = draw.choice(HOSTILE)
                lines[line] = "".join(parts)
                text = "\n".join(lines)
    return text


def campaign(folder, seeds):
    """Check each mutated log; time those that are valid. Returns how many were."""
    valid = 0
    for seed in seeds:
        name, text = list(LOGS.items())[seed % len(LOGS)]
        path = folder / name
        path.write_bytes(mutated(text, seed).encode("utf-8", "surrogatepass"))
        said = CliRunner().invoke(main, ["check", str(path)])
        assert said.exit_code in (0, 2), (seed, said.output, said.exception)
        assert said.exception is None or isinstance(said.exception, SystemExit), seed
        if said.exit_code == 2:
            assert said.stderr.startswith(f"error: {path}"), (seed, said.stderr)
            assert "\nhint: " in said.stderr, (seed, said.stderr)
            assert "Traceback" not in said.output
            continue
        valid += 1
        study = inputs.read(path, networks=[NETWORKS / "lossy_wifi.yaml"])
        assert study.scenario.clients < 10**8
        if study.scenario.clients < 10_000:  # a larger fleet takes long to draw
            for index, each in enumerate(study.trainings()):
                run_training(index, each, Options(folder), ignore, SharedModels())
    return valid


def test_mutated_logs_are_read_or_refused(tmp_path):
    assert campaign(tmp_path, range(400)) > 30


@pytest.mark.slow
def test_ten_thousand_mutated_logs_are_read_or_refused(tmp_path):
    assert campaign(tmp_path, range(1_000, 11_000)) > 1_000


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Call the command line in an empty folder with the logs: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name, text in LOGS.items():
        (tmp_path / name).write_text(text)

    def invoked(*args):
        result = CliRunner().invoke(main, list(map(str, args)))
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result.exit_code, result.stdout, result.stderr

    return invoked


def test_check_says_what_a_log_holds_and_what_it_cannot_answer(invoke):
    code, out, _ = invoke("check", "log.jsonl", "four.csv")
    assert code == 0
    assert out.splitlines()[:8] == [
        "log.jsonl: fine: run toy, method FedAvg",
        "  3 rounds, 7 visits of 3 clients (1 failed, 0 not merged); 630 kB down, 240 kB up",
        "  6 answered: seconds in 6, examples in 6",
        "  3 scores of accuracy on validation, the best 0.300 after round 3",
        "four.csv: fine: run four, method four",
        "  2 rounds, 3 visits of 2 clients (0 failed, 0 not merged); 270 kB down, 120 kB up",
        "  3 answered: seconds in 0, examples in 0; compute.per_example cannot be set",
        "  no scores on validation; a target cannot be set",
    ]
    assert "four: 3 of 3 visits have no seconds, so their local training takes no time" in out
    assert "--network NAME" in out


def test_check_shows_the_networks(invoke):
    code, out, _ = invoke("check", "log.jsonl", "--network", NETWORKS / "4g_cell.yaml")
    assert code == 0
    assert "4g_cell: down" in out


def test_check_of_the_folder_of_a_run(invoke):
    assert invoke("run", "log.csv", "--network", NETWORKS / "5g.yaml", "--out", "out")[0] == 0
    code, out, err = invoke("check", "out")
    assert code == 0, err
    assert out.startswith("out/logs/1.jsonl: fine: run toy, method FedProx\n")
    assert "\n5g: down" in out
    code, out, err = invoke("check", "out", "--set", "policy={kind: deadline, select: 2}")
    assert code == 2
    assert "policy" in err


def test_a_log_runs_under_four_networks(invoke):
    networks = ["4g_cell", "5g", "cable", "lossy_wifi"]
    options = [text for name in networks for text in ("--network", NETWORKS / f"{name}.yaml")]
    code, out, err = invoke("run", "log.jsonl", "log.csv", *options, "--out", "out")
    assert code == 0, err
    assert "Simulated time to accuracy 0.20" in out
    found = json.loads(Path("out/results.json").read_text())
    assert [each["variant"] for each in found] == networks * 2
    assert {each["method"] for each in found} == {"FedAvg", "FedProx"}
    assert all(each["time_to_target_s"] > 0 for each in found)
    assert found[0]["final_loss"] == 0.25
    assert found[-1]["final_loss"] is None  # not logged


def test_a_run_without_scores_has_reports_and_exports(invoke):
    code, out, err = invoke("run", "four.csv", "--network", NETWORKS / "5g.yaml", "--out", "out")
    assert code == 0, err
    assert "Simulated time to the end of the run" in out
    assert "accuracy" not in out
    assert "no scores" in Path("out/figure.svg").read_text()
    (found,) = json.loads(Path("out/results.json").read_text())
    assert (found["bytes_down"], found["bytes_up"]) == (270_000, 120_000)
    assert found["duration_s"] > 0
    assert found["final_accuracy"] is found["best_accuracy"] is found["final_loss"] is None
    page = Path("out/index.html").read_text()
    assert '"accuracy":null' in page
    assert "NaN" not in page.split('id="data">')[1].split("</script>")[0]
    for command in (
        ["report", "out"],
        ["report", "out", "--format", "csv"],
        ["compare", "out"],
        ["compare", "out", "--format", "json"],
        ["export", "figures", "out"],
        ["export", "tables", "out"],
        ["export", "perfetto", "out"],
        ["run", "out", "--network", NETWORKS / "leo.yaml"],
    ):
        code, _, err = invoke(*command)
        assert code == 0, (command, err)


@pytest.fixture
def fallen(invoke):
    """Call the command line beside the run `out` of two logs of a perplexity."""
    code, out, err = invoke(
        "run", "falling.csv", "sparse.csv", "--network", NETWORKS / "5g.yaml", "--out", "out"
    )
    assert code == 0, err
    assert "Simulated time to perplexity 12.00" in " ".join(out.split())
    assert "perplexity (lower is better) after the last round" in " ".join(out.split())
    assert "accuracy" not in out
    return invoke


def test_a_perplexity_has_results(fallen):
    dense, sparse = json.loads(Path("out/results.json").read_text())
    assert (dense["rounds_to_target"], sparse["rounds_to_target"]) == (2, None)
    assert (dense["target"], dense["target_measure"]) == (12, "falling")
    assert (dense["best_accuracy"], dense["final_accuracy"]) == (11.25, 13)
    assert (dense["final_loss"], dense["test_accuracy"]) == (None, 14.5)


def test_a_perplexity_is_checked(invoke):
    code, out, _ = invoke("check", "falling.csv")
    assert code == 0
    assert "4 scores of perplexity on validation, the best 11.250 after round 2" in out


def test_a_perplexity_has_many_targets_and_budgets(fallen):
    code, out, err = fallen("report", "out", "--targets", "40:12:14", "--format", "json")
    assert code == 0, err
    found = [(each["target"], each["round"]) for each in json.loads(out)]
    assert found == [(40, 1), (26, 1), (12, 2), (40, 1), (26, 1), (12, None)]
    code, out, _ = fallen("report", "out", "--targets", "40,12")
    assert out.splitlines()[1].split() == ["perplexity", "40", "12"]
    code, out, _ = fallen("report", "out", "--budgets", "130kB,1GB")
    assert "60.500" in out
    assert "Perplexity at the last evaluation within each budget" in out


def test_a_perplexity_is_compared(fallen):
    code, out, err = fallen("compare", "out", "--target", "30", "--format", "json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["target"], found["measure"]) == (30, "falling")
    assert all(each["reached"] == 1 for each in found["contrasts"])
    values = [each["accuracy"] for each in found["fronts"] if each["cost"] == "time_s"]
    assert values == sorted(values, reverse=True)
    assert (values[0], values[-1]) == (60.5, 11.25)
    code, out, _ = fallen("compare", "out")
    assert "perplexity (lower is better) of the last model" in " ".join(out.split())


def test_a_perplexity_on_the_page_and_in_figures(fallen):
    page = Path("out/index.html").read_text()
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert (data["curved"], data["metric"], data["target"]) == ("perplexity", "perplexity", 12)
    assert data["emulations"][0]["curve"]["score"] == [60.5, 25, 11.25, 13]
    values = data["targets"]["values"]
    assert values == sorted(values, reverse=True)
    assert values[data["targets"]["own"]] == 12
    drawn = Path("out/figure.svg").read_text()
    for text in ("Time to perplexity 12.00", "Perplexity over time, 5g", "perplexity, one seed"):
        assert f"<!-- {text} -->" in drawn
    code, _, err = fallen("export", "figures", "out")
    assert code == 0, err


def test_a_perplexity_is_exported(fallen):
    assert fallen("export", "tables", "out")[0] == 0
    assert "11.25" in Path("out/tables/evaluations.csv").read_text()
    assert fallen("export", "perfetto", "out")[0] == 0
    (trace, *_) = sorted(Path("out/traces").glob("*.json"))
    counters = [e["name"] for e in json.loads(trace.read_text())["traceEvents"] if e["ph"] == "C"]
    assert set(counters) == {"validation perplexity", "validation loss", "test perplexity"}


def test_a_perplexity_without_a_target(invoke):
    options = ["--network", NETWORKS / "5g.yaml", "--set", "training.target=null", "--out", "out"]
    assert invoke("run", "falling.csv", *options)[0] == 0
    code, out, err = invoke("report", "out", "--targets", "30,12", "--format", "json")
    assert code == 0, err
    assert [each["round"] for each in json.loads(out)] == [1, 2]
    code, out, err = invoke("compare", "out", "--target", "12", "--format", "json")
    assert code == 0, err
    assert json.loads(out)["contrasts"][0]["reached"] == 1
    assert invoke("export", "figures", "out")[0] == 0


def test_scores_above_1_need_a_metric_that_falls(invoke):
    Path("wrong.csv").write_text(FALLING.replace("# direction: lower\n# target: 12\n", ""))
    code, _, err = invoke("check", "wrong.csv")
    assert code == 2
    assert err.startswith(
        "error: wrong.csv:6: column 9, value: found 60.5; allowed: a number from 0 to 1; divide"
    )


def test_logs_of_several_seeds_have_bands_and_verdicts(invoke):
    """Five seeds of two methods, of which one is a little faster with each."""
    for seed in range(5):
        for name, text in (("falling", FALLING), ("sparse", SPARSE)):
            value = f"# seed: {seed}\nkind,"
            Path(f"{name}{seed}.csv").write_text(text.replace("kind,", value, 1))
    logs = [f"{name}{seed}.csv" for name in ("falling", "sparse") for seed in range(5)]
    code, out, err = invoke("check", *logs)
    assert code == 0, err
    assert "falling3.csv: fine: run toy, method FedAvg, seed 3" in out
    assert "2 methods, 5 seeds each, 2 clients" in out
    options = ["--network", NETWORKS / "4g_cell.yaml", "--out", "out"]
    code, out, err = invoke("run", *logs, *options, "--set", "training.target={loss: 25}")
    assert code == 0, err
    assert "median and range of 5 seeds" in " ".join(out.split())
    code, out, err = invoke("compare", "out", "--format", "json")
    assert code == 0, err
    base, other = json.loads(out)["contrasts"]
    assert (base["seeds"], other["shared_seeds"]) == (5, 5)
    # Faster with each seed, by less than the time between two evaluations.
    assert (other["wins"], other["verdict"]) == (5, "not shown")
    assert other["speedup_low"] < 1 < other["speedup"]
    folder = Path("out/traces")
    assert invoke("export", "perfetto", "out")[0] == 0
    assert len(list(folder.glob("*.json"))) == 10


def test_runs_of_logs_are_compared(invoke):
    for name in ("log.jsonl", "log.csv"):
        target = "training.target={accuracy: 0.2, stop_after: never}"
        options = ["--network", NETWORKS / "5g.yaml", "--out", name.replace(".", "-")]
        assert invoke("run", name, "--set", target, *options)[0] == 0
    code, out, err = invoke("compare", "log-jsonl", "log-csv")
    assert code == 0, err
    assert "FedAvg" in out
    assert "FedProx" in out


def test_a_target_that_a_log_without_scores_cannot_answer(invoke):
    options = ["--network", NETWORKS / "5g.yaml", "--set", "training.target=0.5"]
    code, _, err = invoke("run", "four.csv", *options)
    assert code == 2
    assert "training.target: the log of four has no scores" in err


def test_the_schema_of_a_line_is_printed(invoke):
    code, out, _ = invoke("schema", "log")
    assert code == 0
    assert json.loads(out)["title"] == "flasc-emu message log, one line"
