"""MLflow's own client reads what the ledger has."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.common.errors import StorageError, SupportError
from emulator.reports.export.mlflow import flat, parameters, write
from emulator.reports.export.tracked_run import Origin, TrackedRun, tracked
from emulator.results.ledger import Ledger
from emulator.results.metadata import RunMetadata
from emulator.results.metrics import curve
from emulator.simulation.records import Emulation

SETTINGS = {"method": {"kind": "flasc", "down": "1/4"}, "vary, all": [1, 2], "network": {"x": None}}
# MLflow and what it imports warn about themselves.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def runs(write_run: Callable[..., Path]) -> list[TrackedRun]:
    """Two seeds of one method."""
    with Ledger.open(write_run({"FLASC 1/4 down, 1/4 up": 0.1}, {"1x": 1}, seeds=(0, 1))) as ledger:
        meta = RunMetadata.from_meta(ledger.meta())
        origin = Origin(SETTINGS, "ab12")
        return [
            tracked(each, ledger.rows(each), meta, "folder", origin) for each in ledger.emulations()
        ]


def test_parameters_are_names_that_mlflow_takes(runs: list[TrackedRun]) -> None:
    assert parameters(runs[0]) == {
        "method": "FLASC 1/4 down, 1/4 up", "variant": "1x", "seed": "0", "method.kind": "flasc",
        "method.down": "1/4", "vary_ all": "[1, 2]", "network.x": "null",
    }  # fmt: skip


def test_names_that_become_equal_are_numbered() -> None:
    run = TrackedRun("e", "s", Emulation("m", "v", 0), (), {}, {"a,": 1, "a;": 2}, {})
    assert list(parameters(run))[3:] == ["a_", "a_-2"]
    assert dict(flat({"a": {"b": {}, "c": {"d": 1}}})) == {"a.c.d": 1}


def client(folder: Path) -> Any:
    pytest.importorskip("alembic")
    pytest.importorskip("sqlalchemy")
    return pytest.importorskip("mlflow").MlflowClient(f"sqlite:///{folder}/mlflow.db")


def active(folder: Path, name: str = "slow upload") -> list[Any]:
    """The runs of an experiment, by name."""
    reader = client(folder)
    found = reader.search_runs([reader.get_experiment_by_name(name).experiment_id])
    return sorted(found, key=lambda run: str(run.info.run_name))


def test_mlflow_reads_the_ledgers_curves(
    runs: list[TrackedRun], write_run: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("mlflow", reason="needs mlflow-skinny, sqlalchemy and alembic")
    assert write(tmp_path / "store", runs) == tmp_path / "store/mlflow.db"
    write(tmp_path / "store", runs)
    found = active(tmp_path / "store")
    assert [run.info.run_name for run in found] == [run.title for run in runs], "in place of old"
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        known = {each.seed: curve(ledger.rows(each)) for each in ledger.emulations()}
    reader = client(tmp_path / "store")
    for run in found:
        of = known[int(run.data.params["seed"])]
        for name, column in (
            ("validation/accuracy", of.accuracy),
            ("validation/loss", of.loss),
            ("simulated_seconds", of.time_s),
            ("bytes/down", of.bytes_down),
            ("bytes/up", of.bytes_up),
        ):
            history = reader.get_metric_history(run.info.run_id, name)
            assert [m.step for m in history] == list(of.round)
            assert [m.value for m in history] == list(column)
            elapsed_s = [(m.timestamp - run.info.start_time) / 1000 for m in history]
            assert elapsed_s == list(of.time_s)
        assert run.data.params["method.down"] == "1/4"
        assert run.data.tags["flasc_emu.recording"] == "ab12"
        assert run.data.metrics["result/time_to_target_s"] == 5 * (
            4.0 + int(run.data.params["seed"])
        )
        assert run.info.status == "FINISHED"


def test_a_store_keeps_what_others_wrote(runs: list[TrackedRun], tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="needs mlflow-skinny, sqlalchemy and alembic")
    write(tmp_path, runs[:1])
    reader = client(tmp_path)
    experiment = reader.get_experiment_by_name("slow upload").experiment_id
    reader.create_run(experiment, run_name="by hand")
    write(tmp_path, runs[:1])
    assert [run.info.run_name for run in active(tmp_path)] == [runs[0].title, "by hand"]


def test_a_store_that_is_none_is_refused(runs: list[TrackedRun], tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="needs mlflow-skinny, sqlalchemy and alembic")
    (tmp_path / "mlflow.db").write_text("not a database")
    with pytest.raises(StorageError, match=r"mlflow\.db: cannot be written"):
        write(tmp_path, runs)


def test_the_command_writes_the_settings_of_each_variant(command: Any, scenario: Any) -> None:
    pytest.importorskip("mlflow", reason="needs mlflow-skinny, sqlalchemy and alembic")
    assert command.run_here(scenario(), "--method", "FLASC")[0] == 0
    done = CliRunner().invoke(main, ["export", "mlflow", "runs/toy"])
    assert (done.exit_code, done.stdout, done.stderr) == (0, "runs/toy/mlflow/mlflow.db\n", "")
    fast, slow = active(Path("runs/toy/mlflow").resolve(), "toy")
    assert fast.data.params["network.clients.up"] == "20 Mbps"
    assert slow.data.params["network.clients.up"] == "5 Mbps"
    (recording,) = (path.name for path in Path("runs/recordings").iterdir())
    assert fast.data.tags["flasc_emu.recording"] == recording
    assert fast.data.tags["flasc_emu.provenance.toy"] == "1"


def test_a_run_whose_scenario_cannot_be_read_is_exported_with_a_warning(
    write_run: Callable[..., Path],
) -> None:
    pytest.importorskip("mlflow", reason="needs mlflow-skinny, sqlalchemy and alembic")
    folder = write_run({"LoRA": 0.1}, {"1x": 1}).parent
    done = CliRunner().invoke(main, ["export", "mlflow", str(folder)])
    assert done.exit_code == 0
    assert done.stderr.startswith("warning: exported without settings and recordings: ")
    (run,) = active(folder / "mlflow")
    assert set(run.data.params) == {"method", "variant", "seed"}
    assert "flasc_emu.recording" not in run.data.tags


def test_a_missing_extra_is_said(
    runs: list[TrackedRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "alembic", None)
    with pytest.raises(SupportError, match="found no alembic") as error:
        write(tmp_path, runs)
    assert "flasc-emu[mlflow]" in error.value.hint
    assert not list(tmp_path.glob("*.db"))
