"""The offline files of Weights & Biases have what the ledger has."""

import json
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.common.errors import StorageError, SupportError
from emulator.reports.export.tracked_run import Origin, TrackedRun, tracked
from emulator.reports.export.wandb import write
from emulator.results.ledger import Ledger
from emulator.results.metadata import RunMetadata
from emulator.results.metrics import curve
from emulator.simulation.records import Emulation

BLOCK, HEAD = 32768, 7
# wandb and protobuf warn about themselves.
pytestmark = pytest.mark.filterwarnings("ignore")


def contents(path: Path) -> Iterator[bytes]:
    """The records of a .wandb file: LevelDB's log format after 7 bytes of W&B's own."""
    raw, at, whole = path.read_bytes(), HEAD, b""
    while at + HEAD <= len(raw):
        if BLOCK - at % BLOCK < HEAD:  # the rest of a block is padding
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", raw, at + 4)
        whole += raw[at + HEAD : at + HEAD + length]
        at += HEAD + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield whole
            whole = b""


def records(folder: Path) -> list[Any]:
    """The records of an offline run, in W&B's own types."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = folder.glob("*.wandb")
    return [Record.FromString(content) for content in contents(path)]


def history(found: list[Any]) -> list[dict[str, float]]:
    """The rows that were logged, without W&B's own values."""
    rows = []
    for record in found:
        if record.WhichOneof("record_type") == "history":
            items = {".".join(i.nested_key) or i.key: i.value_json for i in record.history.item}
            rows.append({k: json.loads(v) for k, v in items.items() if k[0] != "_" or k == "_step"})
    return rows


@pytest.fixture
def run(write_run: Callable[..., Path]) -> TrackedRun:
    lora = Emulation("LoRA", "1x", 0)
    with Ledger.open(write_run({"LoRA": 0.1}, {"1x": 1})) as ledger:
        meta, origin = RunMetadata.from_meta(ledger.meta()), Origin({"method": {"rank": 4}}, "ab12")
        return tracked(lora, ledger.rows(lora), meta, "folder", origin)


@pytest.fixture
def needs_wandb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="needs wandb")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # wandb keeps logs in ~/.cache


@pytest.mark.usefixtures("needs_wandb")
def test_the_offline_file_has_the_ledgers_curves(run: TrackedRun, tmp_path: Path) -> None:
    (folder,) = write(tmp_path / "out", [run])
    found = records(folder)
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        known = curve(ledger.rows(Emulation("LoRA", "1x", 0)))
    rows = history(found)
    assert [row["_step"] for row in rows] == list(known.round)
    for name, column in (
        ("round", known.round),
        ("simulated_seconds", known.time_s),
        ("bytes/down", known.bytes_down),
        ("bytes/up", known.bytes_up),
        ("validation/accuracy", known.accuracy),
        ("validation/loss", known.loss),
    ):
        assert [row[name] for row in rows] == list(column), name
    (made,) = (each.run for each in found if each.WhichOneof("record_type") == "run")
    assert made.host == ""
    assert (made.project, made.display_name) == ("slow upload", "LoRA, 1x, seed 0")
    config = {item.key: json.loads(item.value_json) for item in made.config.update}
    assert (config["method"], config["seed"]) == ("LoRA", 0)
    assert config["settings"] == {"method": {"rank": 4}}
    assert config["labels"]["recording"] == "ab12"
    defined = [each.metric for each in found if each.WhichOneof("record_type") == "metric"]
    assert {"simulated_seconds", "bytes/total"} <= {each.name for each in defined}
    assert "simulated_seconds" in {each.step_metric for each in defined if each.glob_name == "*"}
    summary = {
        ".".join(item.nested_key) or item.key: json.loads(item.value_json)
        for each in found
        if each.WhichOneof("record_type") == "summary"
        for item in each.summary.update
    }
    assert summary["result/time_to_target_s"] == 20.0


@pytest.mark.usefixtures("needs_wandb")
def test_a_second_export_replaces_the_first(run: TrackedRun, tmp_path: Path) -> None:
    first, other = write(tmp_path, [run, replace(run, emulation=Emulation("LoRA", "1x", 1))])
    (second,) = write(tmp_path, [replace(run, results={})])
    assert set((tmp_path / "wandb").glob("offline-run-*")) == {other, second}
    assert first.name.split("-")[-1] != second.name.split("-")[-1], "another content, another id"
    assert write(tmp_path, [run])[0].name.split("-")[-1] == first.name.split("-")[-1]


@pytest.mark.usefixtures("needs_wandb")
def test_the_environment_does_not_bring_it_online(
    run: TrackedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    (folder,) = write(tmp_path / "out", [run])
    assert folder.parent == tmp_path / "out/wandb"
    assert history(records(folder))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.usefixtures("needs_wandb")
def test_a_folder_that_cannot_be_written_is_an_error(run: TrackedRun, tmp_path: Path) -> None:
    (tmp_path / "wandb").write_text("a file")
    with pytest.raises(StorageError, match="wandb: cannot be written"):
        write(tmp_path, [run])


@pytest.mark.usefixtures("needs_wandb")
def test_the_command_writes_one_run_per_simulation(command: Any, scenario: Any) -> None:
    assert command.run_here(scenario(), "--method", "head")[0] == 0
    done = CliRunner().invoke(main, ["export", "wandb", "runs/toy", "--variant", "slow"])
    assert (done.exit_code, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert history(records(Path(line)))[-1]["round"] == 4


def test_a_folder_named_wandb_is_not_the_package(
    run: TrackedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python imports a folder without any module as an empty package."""
    (tmp_path / "wandb").mkdir()
    for name in [name for name in sys.modules if name.partition(".")[0] == "wandb"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", [PathFinder])
    with pytest.raises(SupportError, match="found no wandb"):
        write(tmp_path / "out", [run])


def test_a_missing_extra_is_said(
    run: TrackedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(SupportError, match="found no wandb") as error:
        write(tmp_path, [run])
    assert "flasc-emu[wandb]" in error.value.hint
    assert not (tmp_path / "wandb").exists()
