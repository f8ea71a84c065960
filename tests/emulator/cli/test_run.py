"""The command `run`: what it reads and prints, on a packed recording."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.api import Results
from emulator.cli import main
from emulator.results.ledger import Ledger
from emulator.results.metadata import RunMetadata
from emulator.runner.recording import Recording

ROOT = Path(__file__).parents[3]
HEAD = ["recordings/figure3.json.gz", "--method", "head only", "--set", "training.seeds=[0, 1]"]


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Run a packed recording from the root of the repository; gives what was printed."""

    def run(*arguments):
        monkeypatch.chdir(ROOT)
        result = CliRunner().invoke(main, ["run", *arguments, "--out", str(tmp_path / "out")])
        assert result.exit_code == 0, result.stderr
        return result.stdout

    return run


def test_a_run_reads_each_packed_training_once(ran, monkeypatch):
    opened, init = [], Recording.__init__

    def counted(recording, store, settings, **options):
        init(recording, store, settings, **options)
        opened.append(recording.root)

    monkeypatch.setattr(Recording, "__init__", counted)
    ran(*HEAD)
    assert len(opened) == len(set(opened)) >= 2


def test_a_run_does_not_read_back_the_simulations_of_its_ledger(ran, monkeypatch):
    read, rows = [], Ledger.rows

    def counted(ledger, emulation):
        read.append(emulation)
        return rows(ledger, emulation)

    monkeypatch.setattr(Ledger, "rows", counted)
    printed = ran(*HEAD, "--network", "scenarios/networks/leo.yaml")
    assert "head only" in printed
    assert "index.html, figure.png" in printed
    assert read == []


def test_the_note_of_a_scenario_is_the_last_line(ran):
    assert ran(*HEAD, "--set", "note='More: a\u202eb'").splitlines()[-1] == "More: a\\u202eb"


def test_vary_sweeps_a_recording_with_one_option(ran, tmp_path):
    rates = "network.clients.up=20Mbps,0.5 Mbps"
    printed = ran(*HEAD, "--method", "FLASC 1/4 down, 1/16 up", "--vary", rates)
    assert " ".join(printed.split()).count("median of 2 seeds: head only at all 2 values of") == 1
    with Ledger.open(tmp_path / "out/ledger.sqlite") as ledger:
        meta = RunMetadata.from_meta(ledger.meta())
    assert meta.variants == ["up 20 Mbps", "up 0.5 Mbps"]  # in place of the axis of the recording
    rows = list(csv.DictReader((tmp_path / "out/results.csv").read_text("utf-8").splitlines()))
    assert {(row["variant"], float(row["network.clients.up_bps"])) for row in rows} == {
        ("up 20 Mbps", 2e7), ("up 0.5 Mbps", 5e5)
    }  # fmt: skip
    rows = json.loads((tmp_path / "out/results.json").read_text("utf-8"))
    assert {row["network.clients.up_bps"] for row in rows} == {2e7, 5e5}
    by_rate = Results.read(tmp_path / "out").frame().groupby("network.clients.up_bps")
    assert by_rate["duration_s"].mean()[5e5] > by_rate["duration_s"].mean()[2e7]
    assert "head only at all 2 values" in (tmp_path / "out/index.html").read_text("utf-8")
    assert "network.clients.up (Mbps)" in (tmp_path / "out/figure.svg").read_text("utf-8")
