"""The command `run`: what it reads and prints, on a packed recording."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.results.ledger import Ledger
from emulator.runner.recording import Recording

ROOT = Path(__file__).parents[3]
HEAD = ["recordings/slow_upload.json.gz", "--method", "head only", "--set", "training.seeds=[0, 1]"]


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
