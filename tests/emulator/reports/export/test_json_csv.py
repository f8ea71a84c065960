"""Results for programs come back as the outcomes they were; a report's files appear whole."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from emulator.common.errors import LedgerError, StorageError
from emulator.reports.export import json_csv
from emulator.reports.run_report import Study
from emulator.reports.write import write
from emulator.results.ledger import Ledger
from emulator.results.metrics import Outcome

Studies = Callable[..., Study]
FILES = ["index.html", "figure.png", "figure.svg", "results.json", "results.csv", "groups.json"]


def test_json_comes_back_as_the_outcomes(study_of: Studies) -> None:
    study = study_of({"LoRA": 0.1, 'Größe, "x"': 0.04}, {"1x": 1}, seeds=(0, 1))
    found = json.loads(json_csv.to_json(study.outcomes))
    assert tuple(Outcome(**row) for row in found) == study.outcomes
    assert [row["time_to_target_s"] for row in found] == [20.0, 25.0, None, None]


def test_csv_has_the_same_columns(study_of: Studies) -> None:
    study = study_of({"LoRA": 0.1, 'a, "b"\n': 0.04}, {"1x": 1})
    rows = list(csv.DictReader(io.StringIO(json_csv.to_csv(study.outcomes))))
    found = json.loads(json_csv.to_json(study.outcomes))
    assert [list(row) for row in rows] == [list(row) for row in found]
    for row, outcome in zip(rows, study.outcomes, strict=True):
        assert row == {k: "" if v is None else str(v) for k, v in asdict(outcome).items()}


def test_a_report_is_six_files_and_writing_again_changes_nothing(
    write_run: Callable[..., Path], tmp_path: Path
) -> None:
    with Ledger.open(write_run({"A": 0.1, "B": 0.04}, {"x": 1, "y": 2})) as ledger:
        _, paths = write(ledger, tmp_path / "deep" / "report")
        before = [path.read_bytes() for path in paths]
        assert [path.name for path in paths] == FILES
        assert sorted(p.name for p in paths[0].parent.iterdir()) == sorted(FILES)
        write(ledger, tmp_path / "deep" / "report")
        assert [path.read_bytes() for path in paths] == before


def test_a_folder_that_cannot_be_written_is_said(
    write_run: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with Ledger.open(write_run({"A": 0.1}, {"x": 1})) as ledger:
        with pytest.raises(StorageError, match="cannot be written"):
            write(ledger, tmp_path / "file")
        (tmp_path / "taken" / "figure.png").mkdir(parents=True)
        with pytest.raises(StorageError):
            write(ledger, tmp_path / "taken")
        left = sorted(p.name for p in (tmp_path / "taken").iterdir())
        assert left == ["figure.png", "index.html"], "no half-written file"


def test_a_run_with_nothing_in_it_makes_no_report(
    write_run: Callable[..., Path], tmp_path: Path
) -> None:
    with (
        Ledger.open(write_run({}, {"x": 1})) as ledger,
        pytest.raises(LedgerError, match="has no simulation"),
    ):
        write(ledger, tmp_path / "report")
