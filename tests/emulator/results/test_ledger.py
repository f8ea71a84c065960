"""The ledger keeps what it was given, survives a kill, and knows what is not one of its own."""

import math
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from emulator.common.errors import LedgerError, StorageError
from emulator.results.ledger import (
    ROWS_PER_STATEMENT,
    VERSION,
    VERSION_WITH_RATES,
    Ledger,
    contradictions,
)
from emulator.simulation.records import (
    OUTCOMES,
    Absence,
    Computation,
    Emulation,
    Evaluation,
    PathRate,
    Round,
    Row,
    Transfer,
)

META = {"name": "slow upload", "scenario": "name: slow upload\n# Grüße, 你好\n", "target": "0.7"}
LORA = Emulation("LoRA", "1x", 0)
FLASC = Emulation("FLASC 1/4 down, 1/16 up", "16x", 1)

whole = st.integers(0, 2**53)
seconds = st.floats(0, 1e9)
outcomes = st.sampled_from(OUTCOMES)


def timed(record: type[Row], *head: st.SearchStrategy[Any]) -> st.SearchStrategy[Row]:
    """Rows that begin with `head`, then have start and finish, then the rest."""
    times = st.tuples(seconds, seconds).map(sorted)
    tail = (whole,) if record is Round else (outcomes, whole)
    parts = st.tuples(st.tuples(*head), times, st.tuples(*tail))
    return parts.map(lambda found: record(*(value for part in found for value in part)))


ROWS = st.lists(
    st.one_of(
        timed(Transfer, whole, whole, st.sampled_from(["down", "up"]), whole),
        timed(Computation, whole, whole, whole, whole),
        timed(Absence, whole, whole),
        timed(Round, whole, whole),
        st.builds(Evaluation, whole, seconds, st.sampled_from(["validation", "test"]), whole,
                  st.floats(0, 1), st.floats(allow_nan=False, allow_infinity=False)),
    ),
    max_size=30,
)  # fmt: skip


def some_rows(rounds: int = 3) -> list[Row]:
    rows: list[Row] = [Evaluation(0, 0.0, "validation", 100, 0.1, 2.5)]
    for r in range(1, rounds + 1):
        for client in (7, 3):
            rows.append(Transfer(r, client, "down", 1000 + client, r - 1.0, r - 0.7))
            rows.append(Computation(r, client, 32, 2, r - 0.7, r - 0.5))
            rows.append(Transfer(r, client, "up", 250, r - 0.5, float(r)))
        rows.append(Round(r, 2, r - 1.0, float(r)))
        rows.append(Evaluation(r, float(r), "validation", 100, r / (r + 1), 1 / r))
    return rows


def fill(path: Path, rounds: int = 3) -> Path:
    with Ledger.create(path, META) as ledger:
        ledger.write(LORA, some_rows(rounds))
        ledger.write(FLASC, some_rows(rounds)[::-1])
    return path


def test_reads_what_was_written_in_the_order_written(tmp_path: Path) -> None:
    with Ledger.open(fill(tmp_path / "ledger.sqlite")) as ledger:
        assert ledger.meta() == META
        assert ledger.emulations() == [LORA, FLASC]
        assert ledger.rows(LORA) == some_rows()
        assert ledger.rows(FLASC) == some_rows()[::-1]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, name=st.text(st.characters(exclude_categories=["Cs"]), max_size=9))
def test_any_rows_come_back(tmp_path: Path, rows: list[Row], name: str) -> None:
    with Ledger.create(tmp_path / "ledger.sqlite", {name: name}) as ledger:
        ledger.write(Emulation(name, name, 3), iter(rows))
        assert ledger.rows(Emulation(name, name, 3)) == rows
        assert ledger.meta() == {name: name}


@pytest.mark.parametrize(
    "count",
    [ROWS_PER_STATEMENT - 1, ROWS_PER_STATEMENT, ROWS_PER_STATEMENT + 1, 3 * ROWS_PER_STATEMENT],
)
def test_rows_come_back_however_many_a_statement_takes(tmp_path: Path, count: int) -> None:
    some = [Transfer(1, i, "up", i, 0.0, i / 8) for i in range(count)]
    rows = [row for i, one in enumerate(some) for row in (one, Round(i, 1, 0.0, 1.0))]
    with Ledger.create(tmp_path / "ledger", META) as ledger:
        ledger.write(LORA, rows)
        with pytest.raises(sqlite3.IntegrityError):
            ledger.write(FLASC, [*some, Transfer(1, 1, "up", 1, 0.0, math.nan)])
        assert ledger.emulations() == [LORA]
        assert ledger.rows(LORA) == rows


def test_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "one", 40), fill(tmp_path / "two", 40)
    assert one.read_bytes() == two.read_bytes()
    assert fill(one, 40).read_bytes() == two.read_bytes(), "written over an older ledger"
    assert one.read_bytes() != fill(two, 41).read_bytes()


def test_rates_of_paths_have_a_table_only_if_there_are_some(tmp_path: Path) -> None:
    path = fill(tmp_path / "ledger.sqlite")
    rates = [PathRate(1, 7, "up", 0.5, 1e6, -1.0, 0.0), PathRate(2, 3, "down", 1.0, 1e6, 1e5, 1e7)]

    def version() -> tuple[int, bool]:
        with closing(sqlite3.connect(path)) as db:
            found = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'pathrate'").fetchall()
            return db.execute("PRAGMA user_version").fetchone()[0], bool(found)

    assert version() == (VERSION, False)
    with Ledger.create(path, META) as ledger:
        ledger.write(LORA, some_rows())
        ledger.write(FLASC, [*some_rows(), *rates])
    assert version() == (VERSION_WITH_RATES, True)
    with Ledger.open(path) as ledger:
        assert ledger.rows(LORA) == some_rows()
        assert ledger.rows(FLASC) == [*some_rows(), *rates]
        assert not list(contradictions([*some_rows(), *rates]))


def test_is_one_file(tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "a # folder?" / "ledger.sqlite", META) as ledger:
        ledger.write(LORA, some_rows())
        assert [p.name for p in ledger.path.parent.iterdir()] == ["ledger.sqlite"]


def test_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "ledger", META) as writer:
        writer.write(LORA, some_rows())
        with Ledger.open(tmp_path / "ledger") as reader:
            writer.write(FLASC, some_rows())
            assert reader.emulations() == [LORA, FLASC]


def test_rows_that_fail_to_come_leave_nothing_behind(tmp_path: Path) -> None:
    def broken() -> list[Row]:
        yield from some_rows()
        raise RuntimeError("killed")

    with Ledger.create(tmp_path / "ledger", META) as ledger:
        ledger.write(LORA, some_rows())
        with pytest.raises(RuntimeError, match="killed"):
            ledger.write(FLASC, broken())
        assert ledger.emulations() == [LORA]


def killed_inside_a_transaction(folder: Path) -> Path:
    """A ledger and its hot journal, as a kill leaves them: copied while a transaction spills."""
    source, path = fill(folder / "source"), folder / "killed"
    db = sqlite3.connect(source, isolation_level=None)
    db.execute("PRAGMA cache_size = 1")
    db.execute("PRAGMA cache_spill = 1")
    db.execute("BEGIN")
    db.execute("UPDATE emulation SET method = 'half written'")
    blank = ((9, i, 1, 1, "up", 1, 0.0, 0.0, "used", 0) for i in range(20_000))
    db.executemany("INSERT INTO transfer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", blank)
    shutil.copy(source, path)
    shutil.copy(f"{source}-journal", f"{path}-journal")
    db.close()
    assert b"half written" in path.read_bytes()
    return path


def test_a_kill_inside_a_transaction_keeps_whole_emulations(tmp_path: Path) -> None:
    path = killed_inside_a_transaction(tmp_path)
    with Ledger.open(path) as ledger:
        assert ledger.emulations() == [LORA, FLASC]
        assert ledger.rows(LORA) == some_rows()
    assert path.read_bytes() == (tmp_path / "source").read_bytes()


def test_a_new_ledger_is_not_undone_by_the_journal_of_a_killed_one(tmp_path: Path) -> None:
    path = killed_inside_a_transaction(tmp_path)
    shutil.copy(f"{path}-journal", f"{path}.new-journal")
    with Ledger.create(path, {"name": "second"}) as ledger:
        ledger.write(FLASC, some_rows(1))
    with Ledger.open(path) as ledger:
        assert (ledger.meta(), ledger.emulations()) == ({"name": "second"}, [FLASC])
    assert not list(tmp_path.glob("*journal"))


def test_an_open_ledger_cannot_be_written(tmp_path: Path) -> None:
    with (
        Ledger.open(fill(tmp_path / "ledger")) as ledger,
        pytest.raises(StorageError, match="readonly"),
    ):
        ledger.write(Emulation("LoRA", "1x", 9), some_rows())


def test_a_full_disk_is_said_and_keeps_what_was_written(tmp_path: Path) -> None:
    path = fill(tmp_path / "ledger")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA max_page_count = {path.stat().st_size // 4096 + 2}")
    with Ledger(path, db) as ledger:
        with pytest.raises(StorageError, match="full") as caught:
            ledger.write(Emulation("LoRA", "1x", 9), some_rows(500))
        assert "complete simulations are kept" in caught.value.hint
        assert ledger.emulations() == [LORA, FLASC]
    with Ledger.open(path) as ledger:
        assert ledger.rows(LORA) == some_rows()


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write"):
        Ledger.create(tmp_path / "file" / "ledger", META)


def test_what_no_column_holds_is_refused_and_numpys_numbers_are_numbers(tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "ledger", META) as ledger:
        with pytest.raises(sqlite3.IntegrityError):
            ledger.write(LORA, [Evaluation(1, 1.0, "test", 1, math.nan, 1.0)])
        for wrong in ({"nbytes": 1.5}, {"outcome": b"used"}, {"direction": None}, {"start_s": "1"}):
            with pytest.raises(TypeError):
                ledger.write(LORA, [Transfer(1, 1, "up", 1, 0.0, 1.0)._replace(**wrong)])
        assert ledger.emulations() == []
        ledger.write(FLASC, [Transfer(np.int64(1), 1, "up", 1, np.float64(0), 1.0)])
        assert list(map(type, ledger.rows(FLASC)[0])) == [
            int,
            int,
            str,
            int,
            float,
            float,
            str,
            int,
        ]
    (tmp_path / "ledger").unlink()
    with Ledger.create(tmp_path / "ledger", META) as ledger:
        ledger.write(LORA, [Transfer(1, 1, "up", 1, 0, 1)])  # a whole second is a second
        assert ledger.rows(LORA) == [Transfer(1, 1, "up", 1, 0.0, 1.0)]
        with pytest.raises(sqlite3.IntegrityError):
            ledger.write(LORA, [])
        with pytest.raises(LedgerError, match="does not contain"):
            ledger.rows(FLASC)


def foreign(path: Path, statement: str) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute(statement)
    return path


def test_what_is_no_ledger_is_said(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, " * 100)
    (tmp_path / "empty").touch()
    ledger = fill(tmp_path / "ledger")
    (tmp_path / "short").write_bytes(ledger.read_bytes()[:-4096])
    (tmp_path / "head").write_bytes(ledger.read_bytes()[:50])
    newer = shutil.copy(ledger, tmp_path / "newer")
    wider = shutil.copy(ledger, tmp_path / "wider")
    content = bytearray(ledger.read_bytes())
    content[4096 * 5] ^= 0xFF  # the kind of a page that only rows would touch
    (tmp_path / "bad page").write_bytes(content)
    for path, message in (
        (tmp_path / "absent", "found no ledger"),
        (tmp_path, "found no ledger"),
        (tmp_path / "text", "not a database"),
        (tmp_path / "empty", "not a ledger"),
        (tmp_path / "short", "malformed"),
        (tmp_path / "bad page", "damaged"),
        (tmp_path / "head", "not a ledger"),
        (foreign(tmp_path / "other", "CREATE TABLE emulation (id)"), "not a ledger"),
        (foreign(newer, "PRAGMA user_version = 99"), "version 99"),
        (foreign(wider, "CREATE VIEW extra AS SELECT 1"), "found a ledger"),
    ):
        with pytest.raises(LedgerError, match=message) as caught:
            Ledger.open(path)
        assert caught.value.hint


def test_a_value_of_another_type_is_damage(tmp_path: Path) -> None:
    path = foreign(fill(tmp_path / "ledger"), "UPDATE evaluation SET accuracy = 'high'")
    with Ledger.open(path) as ledger, pytest.raises(LedgerError, match="not a valid Evaluation"):
        ledger.rows(LORA)
    foreign(path, "UPDATE evaluation SET accuracy = 0.5, position = 'p' || position")
    with Ledger.open(path) as ledger, pytest.raises(LedgerError, match="not a position"):
        ledger.rows(LORA)
    foreign(path, "UPDATE emulation SET seed = 'none' WHERE seed = 1")
    foreign(path, "UPDATE meta SET value = x'00'")
    with Ledger.open(path) as ledger:
        with pytest.raises(LedgerError, match="not a valid Emulation"):
            ledger.emulations()
        with pytest.raises(LedgerError, match="not text"):
            ledger.meta()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_an_error_or_reads_as_records(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "ledger"
    if not path.exists():
        fill(path, 20)
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(content) - 1))
    damage = data.draw(st.binary(min_size=1, max_size=8))
    content[start : start + len(damage)] = damage
    cut = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    (tmp_path / "damaged").write_bytes(content[:cut])
    try:
        with Ledger.open(tmp_path / "damaged") as ledger:
            meta = ledger.meta()
            filed = [
                *ledger.emulations(),
                *(r for e in ledger.emulations() for r in ledger.rows(e)),
            ]
    except LedgerError:
        return
    assert all(type(text) is str for pair in meta.items() for text in pair)
    for record in filed:
        values = record[:3] if isinstance(record, Emulation) else record
        kinds = list(type(record).__annotations__.values())[: len(values)]
        assert list(map(type, values)) == kinds
