"""The ledger: all rows of a run in one SQLite file, consistent after a kill at any time.

Each simulation is one transaction with a rollback journal, so a killed run leaves complete
simulations only. (WAL would be faster but needs three files.) The file has no time stamps: the
same rows in the same order give the same bytes.

Format: https://www.sqlite.org/fileformat2.html, with `application_id` and `user_version`.
"""

import re
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, repeat, starmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emulator.common.errors import LedgerError
from emulator.results import sqlite_file
from emulator.results.contradictions import contradictions
from emulator.simulation.event_table import KINDS, Columns, EventTable, GrowingColumns, Positions
from emulator.simulation.records import Emulation, PathRate, Row, drawn

APPLICATION_ID = 0x464C4153  # 'FLAS'
ROWS_PER_STATEMENT = 20
ROWS_AT_ONCE = 200 * ROWS_PER_STATEMENT  # that are Python objects at the same time
VERSION = 3  # of the schema; increased when a record's fields change
VERSION_WITH_RATES = 4  # of the schema with a table of PathRate

_ALWAYS = tuple(record for record in KINDS if record is not PathRate)


class _Filed(NamedTuple):
    """A simulation as it is stored: the variant is a label that names the draw of the fleet too."""

    method: str
    variant: str
    seed: int


_TYPES: dict[type[Any], tuple[Any, ...]] = {
    record: tuple(record.__annotations__.values()) for record in (_Filed, *KINDS)
}
_DRAW = re.compile(r"(.*), network seed (\d{1,19})", re.DOTALL)  # as `drawn` writes it
_SQL_TYPE = {int: "integer", float: "real", str: "text"}
_RUN_AGAIN = "run the scenario again; what was trained is in the recording and is reused"


def _columns(record: type[Row] | type[_Filed]) -> list[str]:
    """Return column definitions that check the type; SQLite alone would store a blob as a number.

    numpy's integers bind as blobs, and STRICT tables need SQLite 3.37.
    """
    kinds = {name: _SQL_TYPE[kind] for name, kind in record.__annotations__.items()}
    return [
        f'"{n}" {kind} NOT NULL CHECK (typeof("{n}") = \'{kind}\')' for n, kind in kinds.items()
    ]


def _rows_table(record: type[Row]) -> str:
    columns = ["emulation integer NOT NULL", "position integer NOT NULL", *_columns(record)]
    body = ", ".join([*columns, "PRIMARY KEY (emulation, position)"])
    return f"CREATE TABLE {record.__name__.lower()} ({body}) WITHOUT ROWID"


def _insert(record: type[Row], count: int) -> str:
    """Return a statement for `count` rows; one row per statement takes 1.5 times as long."""
    row = f"({', '.join('?' * (2 + len(record._fields)))})"
    return f"INSERT INTO {record.__name__.lower()} VALUES {', '.join([row] * count)}"


_SCHEMA = (
    "CREATE TABLE meta (key text PRIMARY KEY NOT NULL CHECK (typeof(key) = 'text'), "
    "value text NOT NULL CHECK (typeof(value) = 'text')) WITHOUT ROWID",
    f"CREATE TABLE emulation (id integer PRIMARY KEY, {', '.join(_columns(_Filed))}, "
    "UNIQUE (method, variant, seed))",
    *map(_rows_table, _ALWAYS),
)
_SCHEMAS = {VERSION: _SCHEMA, VERSION_WITH_RATES: (*_SCHEMA, _rows_table(PathRate))}


def _write(
    db: sqlite3.Connection, number: int, columns: Columns[Any], positions: Positions
) -> None:
    """Insert the rows of one record type of simulation `number`, a few at a time."""
    whole = len(positions) // ROWS_PER_STATEMENT * ROWS_PER_STATEMENT
    for start in range(0, whole, ROWS_AT_ONCE):
        rows = _values(number, columns, positions, start, min(start + ROWS_AT_ONCE, whole))
        flat = chain.from_iterable(rows)
        size = ROWS_PER_STATEMENT * (2 + len(columns.arrays))
        db.executemany(
            _insert(columns.record, ROWS_PER_STATEMENT), zip(*[flat] * size, strict=True)
        )
    rest = _values(number, columns, positions, whole, len(positions))
    db.executemany(_insert(columns.record, 1), rest)


def _values(
    number: int, columns: Columns[Any], positions: Positions, start: int, stop: int
) -> Iterator[tuple[Any, ...]]:
    places = positions[start:stop].tolist()
    return zip(repeat(number, len(places)), places, *columns.lists(start, stop), strict=True)


def _read(rows: sqlite3.Cursor, record: type[Row]) -> tuple[Columns[Any], Positions]:
    """Return the columns and positions of selected rows, checked.

    A read-only connection has no CHECKs.
    """
    columns, positions = GrowingColumns(record), array("q")
    while batch := rows.fetchmany(ROWS_AT_ONCE):
        _, places, *fields = zip(*batch, strict=True)
        kinds = [set(map(type, values)) for values in (places, *fields)]
        if kinds != [{kind} for kind in (int, *_TYPES[record])]:
            raise _mistyped(batch, record)
        positions.extend(places)
        columns.extend_fields(fields)
    return columns.columns(), np.array(positions, np.int64)


def _mistyped(batch: Iterable[Sequence[Any]], record: type[Row]) -> sqlite3.DataError:
    """Return the error of the first row that has a value of another type."""
    for _, position, *values in batch:
        if type(position) is not int:
            return sqlite3.DataError(f"{position!r} is not a position of a row")
        if not _are_valid(values, record):
            return sqlite3.DataError(f"{values} are not a valid {record.__name__}")
    raise AssertionError("a column has values of one type, each of another than its rows have")


def _are_valid(values: Sequence[Any], record: type[Row] | type[_Filed]) -> bool:
    return tuple(map(type, values)) == _TYPES[record]


def _filed(emulation: Emulation) -> _Filed:
    label = drawn(emulation.variant, emulation.network_seed)
    return _Filed(emulation.method, label, emulation.seed)


def _unfiled(filed: _Filed) -> Emulation:
    match = _DRAW.fullmatch(filed.variant)
    variant, draw = (match[1], int(match[2])) if match else (filed.variant, None)
    return Emulation(filed.method, variant, filed.seed, draw)


_writing = partial(sqlite_file.writing, what="ledger")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise LedgerError(f"{path} is not a ledger, or damaged: {error}", _RUN_AGAIN) from error


def _check(db: sqlite3.Connection, path: Path) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise LedgerError(f"{path} is not a ledger of flasc-emu", "give the folder of a run")
    schema = db.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY rowid")
    if tuple(sql for (sql,) in schema) != _SCHEMAS.get(version):
        reads = " and ".join(map(str, _SCHEMAS))
        found = f"found a ledger of version {version} at {path}; this flasc-emu reads {reads}"
        raise LedgerError(found, _RUN_AGAIN)
    (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise LedgerError(f"{path} is damaged: {verdict}", _RUN_AGAIN)


class Ledger:
    """The rows of one run by simulation. `create` opens it to write, `open` to read."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db

    @classmethod
    def create(cls, path: Path, meta: Mapping[str, str]) -> "Ledger":
        """Create a ledger at `path` with `meta`, and replace any file there.

        The old file stays until the new one is complete. Raises StorageError.
        """
        form = sqlite_file.Format(APPLICATION_ID, VERSION, _SCHEMA)
        with _writing(path):
            return cls(path, sqlite_file.created(path, form, meta))

    @classmethod
    def open(cls, path: Path) -> "Ledger":
        """Open the ledger at `path` read-only.

        Raises LedgerError if it is missing, foreign, of another version, truncated or corrupt.
        """
        if not path.is_file() and path.with_name("summary.sqlite").is_file():
            raise LedgerError(
                f"{path.parent}: found summaries alone (--keep summary); allowed: a run with the "
                "rows of its simulations",
                f"run it again with its rows: flasc-emu run {path.parent} --keep ledger",
            )
        if not path.is_file():
            raise LedgerError(f"found no ledger at {path}", "give the folder of a run")
        with _reading(path):
            db = sqlite_file.connect_to_read(path)
            try:
                _check(db, path)
            except BaseException:
                db.close()
                raise
        return cls(path, db)

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Written rows are already safe."""
        self._db.close()

    def write(self, emulation: Emulation, rows: Iterable[Row]) -> None:
        """Write all `rows` of `emulation`, or none.

        Raises StorageError; earlier simulations stay valid. Writing a simulation twice and NaN are
        bugs (sqlite3.IntegrityError), as are values of other types (TypeError).
        """
        table = EventTable.of(rows)  # before the transaction, because this may be slow
        with _writing(self.path), self._db as db:
            db.execute("BEGIN IMMEDIATE")
            insert = "INSERT INTO emulation (method, variant, seed) VALUES (?, ?, ?)"
            number = db.execute(insert, _filed(emulation)).lastrowid
            assert number is not None
            if len(table.columns(PathRate)) and PathRate not in self._stored():
                db.execute(_rows_table(PathRate))
                db.execute(f"PRAGMA user_version = {VERSION_WITH_RATES}")
            for record in self._stored():
                _write(db, number, table.columns(record), table.positions(record))

    def _stored(self) -> tuple[type[Row], ...]:
        """The records that have a table: most ledgers have no rates that change."""
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        return KINDS if version == VERSION_WITH_RATES else _ALWAYS

    def _has_draws(self) -> bool:
        """Whether the labels of variants name draws of the fleet."""
        found = self._db.execute("SELECT 1 FROM meta WHERE key = 'network_seeds'").fetchone()
        return found is not None

    def annotate(self, meta: Mapping[str, str]) -> None:
        """Add entries to `meta` that are known at the end of a run. Raises StorageError."""
        with _writing(self.path), self._db as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", sorted(meta.items()))

    def meta(self) -> dict[str, str]:
        """Return what the ledger says of its run, by key (`RunMetadata.from_meta` parses it)."""
        with _reading(self.path):
            meta = dict(self._db.execute("SELECT key, value FROM meta"))
            if not all(type(text) is str for pair in meta.items() for text in pair):
                raise sqlite3.DataError("meta has a value that is not text")
            return meta

    def emulations(self) -> list[Emulation]:
        """Return all complete simulations in the order written."""
        with _reading(self.path):
            select = "SELECT method, variant, seed FROM emulation ORDER BY id"
            found = self._db.execute(select).fetchall()
            for values in found:
                if not _are_valid(values, _Filed):
                    raise sqlite3.DataError(f"{values} are not a valid Emulation")
        filed = starmap(_Filed, found)
        return [*map(_unfiled, filed)] if self._has_draws() else [*starmap(Emulation, filed)]

    def rows(self, emulation: Emulation) -> EventTable:
        """Return the rows of one emulation, as written.

        Raises LedgerError if it is not in the ledger or its rows contradict each other.
        """
        with _reading(self.path):
            find = "SELECT id FROM emulation WHERE method = ? AND variant = ? AND seed = ?"
            number = self._db.execute(find, _filed(emulation)).fetchone()
            if number is None:
                raise LedgerError(f"{self.path} does not contain {emulation}", _RUN_AGAIN)
            select = "SELECT * FROM {} WHERE emulation = ?"
            rows = EventTable.placed(
                _read(self._db.execute(select.format(record.__name__.lower()), number), record)
                for record in self._stored()
            )
        if (found := next(contradictions(rows), None)) is not None:
            message = f"{self.path}: the rows of {emulation} contradict each other: {found}"
            raise LedgerError(message, "the file was changed; run the scenario again")
        return rows
