"""The commands as functions; the page about them is executed."""

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import emulator
from emulator import Results, Scenario, api, compare, frame, run
from emulator.common.errors import EmulationError, LedgerError, NotRecordedError, ScenarioError
from emulator.integrations.message_log import Writer
from emulator.runner.events import Note, TrainingFinished, TrainingProgress
from emulator.runner.export_recording import packed_recording
from emulator.runner.run import folder_name
from emulator.scenario.study import UNVARIED
from emulator.simulation.records import Emulation

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, toys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")


def test_the_page_runs(capsys):
    page = (ROOT / "docs/howto/use_from_python.md").read_text("utf-8")
    names = {}
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.S | re.M):
        exec(compile(block, "docs/howto/use_from_python.md", "exec"), names)
    assert "smoke ['as fast', '4x slower', '16x slower']" in capsys.readouterr().out
    assert {o.variant for o in names["elsewhere"].outcomes} == {"leo"}
    assert names["own"].variants == [UNVARIED]


def test_the_pages_have_every_name_and_no_other():
    page = (ROOT / "docs/howto/use_from_python.md").read_text("utf-8")
    reference = (ROOT / "docs/reference/python_api.md").read_text("utf-8")
    for name in emulator.__all__:
        assert name in page
        assert f"\n## {name}\n" in reference
        assert getattr(emulator, name)
    for text in (page, reference):
        for names in re.findall(r"^from emulator import (.*)$", text, re.M):
            assert set(names.split(", ")) <= set(emulator.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        emulator.nothing  # noqa: B018


def test_results_are_those_that_the_ledger_has(scenario):
    found = run(scenario(), out="there")
    assert found == Results.read("there")
    assert {(o.method, o.variant) for o in found.outcomes} == {
        (m, v) for m in ("LoRA", "head", "FLASC") for v in ("fast", "slow")
    }
    last = [s for s in found.scores if (s.method, s.variant) == ("head", "slow")][-1]
    (outcome,) = (o for o in found.outcomes if (o.method, o.variant) == ("head", "slow"))
    assert (last.accuracy, last.time_s) == (outcome.final_accuracy, outcome.duration_s)
    assert last.nbytes == outcome.bytes_down + outcome.bytes_up


def test_ray_engine_takes_what_the_page_says():
    page = (ROOT / "docs/reference/python_api.md").read_text("utf-8")
    described = f"ray_engine({', '.join(inspect.signature(emulator.ray_engine).parameters)})"
    assert described in page
    with (
        pytest.raises(emulator.EmulatorError, match="no Ray at nowhere: not HOST:PORT"),
        emulator.ray_engine(address="nowhere", workers=None, needs={"GPU": 0.25}, device="cuda"),
    ):
        pass


def test_events_are_reported(scenario):
    heard = []
    results = run(scenario(), out="there", on_event=heard.append)
    finished = [each for each in heard if isinstance(each, TrainingFinished)]
    assert [each.training for each in finished] == [0, 1, 2]
    assert {e for each in finished for e in each.result.emulations} == {
        Emulation(o.method, o.variant, o.seed) for o in results.outcomes
    }
    rounds = [e for e in heard if isinstance(e, TrainingProgress) and not e.split]
    assert {each.round for each in rounds} == {1, 2, 3, 4}
    assert any(isinstance(each, Note) or each.split for each in heard)


def test_times_to_targets_and_scores_within_budgets_are_those_of_the_curves(scenario):
    results = run(scenario(), "there")
    assert [r.time_s for r in results.times_to([0.2])] == [
        o.time_to_target_s for o in results.outcomes
    ]
    last = [s for s in results.scores if (s.method, s.seed) == ("LoRA", 0)][-1]
    budgets = results.within(seconds=[last.time_s], nbytes=[1])
    assert [b.accuracy for b in budgets if b.method == "LoRA"][:2] == [last.accuracy, None]


def test_results_over_other_networks_leave_those_of_the_run_alone(scenario):
    own = run(scenario())
    other = run(Scenario.read(scenario(), networks=["scenarios/networks/leo.yaml"]))
    assert other.folder == Path("runs/toy-on-leo")
    assert Results.read("runs/toy") == own
    again = run(Scenario.read(other.folder))
    assert again == other
    assert Results.read("runs/toy") == own


def test_changes_are_overrides(scenario):
    found = Scenario.read(
        scenario(), {"network.clients.rtt": "1 s", "vary": None, "methods.head": None}
    )
    assert found.variants == [UNVARIED]
    assert found.study.methods == ["LoRA", "FLASC"]
    assert found.study.scenario.network.clients.rtt == 1
    named = Scenario.read(scenario(), {"methods": {"é 日本 🦙\n": {"kind": "head"}}, "vary": None})
    assert "é 日本 🦙\n" in named.study.methods
    with pytest.raises(ScenarioError, match="did you mean 'cohort'"):
        Scenario.read(scenario(), {"training.cohrt": 3})
    with pytest.raises(ScenarioError, match=r"scenario:.* found 5"):
        Scenario.of({"name": 5})


def test_message_logs_are_a_scenario(tmp_path):
    for method in ("FedAvg", "FedProx"):
        with Writer(tmp_path / f"{method}.jsonl", run="mine", method=method) as log:
            log.visit(1, 7, bytes_down=9_000, bytes_up=900)
            log.score(1, 0.5)
    logs = [tmp_path / "FedAvg.jsonl", str(tmp_path / "FedProx.jsonl")]
    results = run(Scenario.read(logs, networks=[ROOT / "scenarios/networks/leo.yaml"]))
    assert results.folder == Path("runs/mine-logged-on-leo")
    assert [each.method for each in results.outcomes] == ["FedAvg", "FedProx"]
    assert len(compare(results).contrasts) == 2


def test_a_frame_has_a_line_a_row(scenario):
    results = run(scenario())
    table = frame(compare(results).contrasts)
    assert len(table) == 6
    assert {"time_s_low", "time_s_median", "time_s_high", "speedup"} <= set(table.columns)
    assert table["speedup"].isna().sum() == 2
    assert frame(results.scores)["accuracy"].max() == max(s.accuracy for s in results.scores)


def test_a_method_that_fails_is_an_error(scenario):
    bad = Scenario.read(scenario(), {"methods.bad": {"kind": "lora", "client_lr": 1e6}}, ["bad"])
    with pytest.raises(EmulationError, match="not finished: bad: client 1 diverged"):
        run(bad)


def test_the_folder_of_a_replay_is_replayed(scenario, toys):
    """The run folder has the packed recording, wherever the folder is and whatever is changed."""
    run(scenario())
    packed = packed_recording(
        {"": Scenario.read("runs/toy").study}, {"": Path("runs/recordings")}
    ).content
    Path("toy.json.gz").write_bytes(packed)
    first = run("toy.json.gz")
    shutil.rmtree("runs/recordings")
    Path("toy.json.gz").unlink()
    first.folder.rename("moved")
    toys.clear()
    changed = Scenario.read("moved", changes={"network.clients.rtt": "1 s"})
    again = run(changed, out="again", train=False)
    assert not toys
    assert [o.final_accuracy for o in again.outcomes] == [o.final_accuracy for o in first.outcomes]
    assert again.outcomes[0].duration_s > first.outcomes[0].duration_s
    assert run("again", out="third").outcomes == again.outcomes
    assert not Path("runs/recordings").exists()


def test_without_training_an_unrecorded_scenario_is_refused(scenario, toys):
    run(scenario(), recordings="mine")
    assert run("runs/toy", train=False).outcomes  # finds its recordings in `mine`
    Path("mine").rename("elsewhere")
    toys.clear()
    with pytest.raises(NotRecordedError, match=r"runs/recordings does not have 3 of 3.*: LoRA; h"):
        run("runs/toy", train=False)
    assert not toys
    assert Results.read("runs/toy").outcomes  # as they were
    assert run("runs/toy", recordings="elsewhere", train=False).outcomes
    with pytest.raises(EmulationError, match="asks for a round that is not among the 4 recorded"):
        run(Scenario.read("runs/toy", {"training.rounds": 6}), out="six", train=False)
    assert not toys


def test_an_incomplete_run_is_read_only_on_request(scenario):
    bad = Scenario.read(scenario(), {"methods.bad": {"kind": "lora", "client_lr": 1e6}})
    with pytest.raises(EmulationError, match="diverged"):
        run(bad, out="part")
    said = "Incomplete: 2 of 8 simulations are missing, the first is bad, fast, seed 0. Not finish"
    with pytest.raises(LedgerError, match=said) as error:
        Results.read("part")
    assert "partial=True" in error.value.hint
    part = Results.read("part", partial=True)
    assert part.missing == (Emulation("bad", "fast", 0), Emulation("bad", "slow", 0))
    assert len(part.outcomes) == 6
    (told,) = compare("part").incomplete
    assert told.startswith("part: Incomplete: 2 of 8 simulations are missing")


@pytest.mark.parametrize("progress", [True, False, None])
def test_progress_is_printed_where_somebody_looks(scenario, capsys, monkeypatch, progress):
    monkeypatch.setattr(api, "seen_by_a_person", lambda: True)
    run(scenario(), progress=progress)
    trained = capsys.readouterr().err
    assert ("LoRA: round 1/4\n" in trained) == (progress is not False)
    run(scenario(), progress=progress)
    assert capsys.readouterr().err == ""  # a replay is quick
    run(scenario(), on_event=lambda _: None, recordings="anew")
    assert capsys.readouterr().err == ""  # another function listens


def test_importing_loads_next_to_nothing():
    heavy = "{'numpy', 'pydantic', 'torch', 'simpy', 'pandas'} & set(sys.modules)"
    code = f"import sys, emulator; assert not {heavy}; from emulator import Scenario, run, compare"
    code += "; assert not {'torch', 'pandas', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_values_of_a_swept_setting_are_variants_and_a_folder_of_their_own(monkeypatch):
    monkeypatch.chdir(ROOT)
    rates = {"network.clients.up": {"from": "20 Mbps", "to": "5 Mbps", "points": 3}}
    swept = Scenario.read("scenarios/slow_upload.yaml", vary=rates)
    assert swept.variants == ["up 20 Mbps", "up 12.5 Mbps", "up 5 Mbps"]
    assert swept.study.variants["up 12.5 Mbps"].network.clients.up == 12.5e6
    assert folder_name(swept.study, swept.networks, swept.swept) == "slow_upload-over-up"
