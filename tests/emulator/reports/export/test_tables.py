"""Every row of a ledger comes back from a table as it went in, in either format."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import astuple, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast, get_args

import pytest

from emulator.api import Results
from emulator.common.errors import LedgerError, SupportError
from emulator.reports.export import tables
from emulator.reports.run_report import Study, load
from emulator.results.ledger import Ledger
from emulator.results.metadata import Setting
from emulator.results.metrics import Outcome
from emulator.simulation.records import Emulation, Evaluation, Row, Transfer

METHODS = {"LoRA": 0.1, 'Größe, "x"\n': 0.04}


@pytest.fixture
def ledger(write_run: Callable[..., Path]) -> Iterator[Ledger]:
    with Ledger.open(write_run(METHODS, {"1x": 1, "4x": 4}, seeds=(0, 1))) as ledger:
        yield ledger


def test_every_row_is_in_one_table_under_its_emulation(ledger: Ledger) -> None:
    study = load(ledger)
    found = tables.tables(ledger, study)
    assert list(found) == ["outcomes", *(f"{record.__name__.lower()}s" for record in get_args(Row))]
    assert [row for batch in found.pop("outcomes").batches() for row in batch] == [
        astuple(outcome) for outcome in study.outcomes
    ]
    for table, record in zip(found.values(), get_args(Row), strict=True):
        expected = [
            (
                e.method.replace("\n", "\N{REPLACEMENT CHARACTER}"),
                e.variant,
                e.seed,
                e.network_seed,
                *row,
            )
            for e in ledger.emulations()
            for row in ledger.rows(e)
            if isinstance(row, record)
        ]
        assert [row for batch in table.batches() for row in batch] == expected
        assert list(table.columns) == [*Emulation._fields, *record._fields]


def test_csv_comes_back(ledger: Ledger) -> None:
    for table in tables.tables(ledger, load(ledger)).values():
        header, *lines = csv.reader(io.StringIO(tables.to_csv(table).decode()))
        assert header == list(table.columns)
        kinds = table.columns.values()
        back = [
            tuple(
                kind(cell) if cell or kind is str else None
                for kind, cell in zip(kinds, line, strict=True)
            )
            for line in lines
        ]
        assert back == [row for batch in table.batches() for row in batch]


def test_parquet_comes_back_with_its_types(ledger: Ledger) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    names = {str: "string", int: "int64", float: "double"}
    for table in tables.tables(ledger, load(ledger)).values():
        back = parquet.read_table(pyarrow.BufferReader(tables.to_parquet(table)))
        assert {f.name: str(f.type) for f in back.schema} == {
            name: names[kind] for name, kind in table.columns.items()
        }
        assert [tuple(row.values()) for row in back.to_pylist()] == [
            row for batch in table.batches() for row in batch
        ]


def test_never_is_null(ledger: Ledger) -> None:
    outcomes = tables.tables(ledger, load(ledger))["outcomes"]
    kinds = {f.name: outcomes.columns[f.name] for f in fields(Outcome)}
    assert kinds["time_to_target_s"] is float
    assert kinds["rounds_to_target"] is int
    lines = list(csv.DictReader(io.StringIO(tables.to_csv(outcomes).decode())))
    assert [line["time_to_target_s"] == "" for line in lines] == [False] * 4 + [True] * 4


def test_a_missing_extra_is_said(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(SupportError, match="found no pyarrow") as caught:
        tables.to_parquet(tables.tables(ledger, load(ledger))["rounds"])
    assert "flasc-emu[export]" in caught.value.hint


def test_rows_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    bad = Transfer(1, 0, "sideways", 10, 0.0, 1.0)
    score = Evaluation(1, 1.0, "validation", 1, 0.5, 1.0)
    with Ledger.create(tmp_path / "ledger.sqlite", {}) as hostile:
        hostile.write(Emulation("A", "x", 0), [bad, score])
        study = cast(Study, SimpleNamespace(outcomes=(), swept={}))
        table = tables.tables(hostile, study)["transfers"]
        with pytest.raises(LedgerError, match="contradict each other"):
            list(table.batches())
    with pytest.raises(LedgerError, match="contradict each other"):
        Results.read(tmp_path)


def test_outcomes_have_the_numbers_of_sweeps(ledger: Ledger) -> None:
    study = load(ledger)
    variant = study.outcomes[0].variant
    setting = Setting("network.clients.up", 5e6, "bit/s", "up 5 Mbps")
    swept = replace(study, swept={variant: (setting,)})
    table = tables.tables(ledger, swept)["outcomes"]
    assert table.columns["network.clients.up_bps"] is float
    (rows,) = table.batches()
    assert {row[-1] for row in rows if row[1] == variant} == {5e6}
    assert len({len(row) for row in rows} | {len(table.columns)}) == 1
