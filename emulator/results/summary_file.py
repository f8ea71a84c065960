"""Summaries of simulations in place of their rows: `flasc-emu run --keep summary`.

`summary.sqlite` has the metadata of the run, as a ledger has, and per simulation its outcome and
its curve: what results, comparisons and curves need. It has no rows, so that a run of thousands of
networks takes a thousandth of the space. What is written is consistent after a kill at any time.
"""

import functools
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from emulator.common.errors import LedgerError
from emulator.results import privacy, sqlite_file
from emulator.results.metrics import Curve, Outcome, curve, outcome
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import Emulation, Row
from emulator.simulation.target import ACCURACY, Goal, Measure

NAME = "summary.sqlite"
APPLICATION_ID = 0x464C5355  # 'FLSU'
VERSION = 1
MOST_BYTES = 2**24  # of a summary that is read
_SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE simulation (id INTEGER PRIMARY KEY, method TEXT NOT NULL, variant TEXT NOT NULL,"
    " seed INTEGER NOT NULL, network_seed INTEGER, measured BLOB NOT NULL)",
)
_RUN_AGAIN = "run the scenario again; what was trained is in the recording and is reused"
_cached_epsilon = functools.lru_cache(maxsize=1024)(privacy.epsilon)


class Summary(NamedTuple):
    """A simulation, encoded, and its simulated seconds."""

    encoded: bytes
    duration_s: float


@dataclass(frozen=True)
class Summariser:
    """Turns the rows of a simulation into a summary: the goal of the run, and its accounts."""

    goal: Goal | None = None
    metric: Measure = ACCURACY
    accounts: Mapping[str, privacy.Account] = field(default_factory=dict)

    def __call__(self, emulation: Emulation, rows: Iterable[Row]) -> Summary:
        """Return the summary of `rows`, which are not needed any more. Raises LedgerError."""
        account, rows = self.accounts.get(emulation.variant), EventTable.of(rows)
        found = outcome(
            emulation, rows, self.goal, account=account, epsilon=_cached_epsilon, metric=self.metric
        )
        return Summary(encode(found, curve(rows)), found.duration_s)


@dataclass(frozen=True)
class Measured:
    """What a summary has of a simulation."""

    outcome: Outcome
    curve: Curve


@functools.cache
def _measured() -> TypeAdapter[Measured]:
    return TypeAdapter(Measured)


def encode(found: Outcome, scores: Curve) -> bytes:
    """Return an outcome and a curve as compressed JSON."""
    text = json.dumps({"outcome": asdict(found), "curve": scores}, separators=(",", ":"))
    return zlib.compress(text.encode(), 1)


def decode(encoded: bytes) -> Measured:
    """Return what was encoded. Raises ValueError for anything else."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(encoded, MOST_BYTES)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    return _measured().validate_json(text)


class SummaryFile:
    """The summaries of one run. `create` opens the file to write, `open` to read."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path, self._db = path, db

    @classmethod
    def create(cls, path: Path, meta: Mapping[str, str]) -> "SummaryFile":
        """Create the file at `path` with `meta`, and replace any file there. Raises StorageError.

        The old file stays until the new one is complete.
        """
        form = sqlite_file.Format(APPLICATION_ID, VERSION, _SCHEMA)
        with _writing(path):
            return cls(path, sqlite_file.created(path, form, meta))

    @classmethod
    def open(cls, path: Path) -> "SummaryFile":
        """Open the file at `path` read-only. Raises LedgerError for another or a damaged file."""
        with _reading(path):
            db = sqlite_file.connect_to_read(path)
            try:
                (application,) = db.execute("PRAGMA application_id").fetchone()
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if (application, version) != (APPLICATION_ID, VERSION):
                    raise sqlite3.DatabaseError(f"found version {version}; allowed: {VERSION}")
            except BaseException:
                db.close()
                raise
        return cls(path, db)

    def __enter__(self) -> "SummaryFile":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. What was written is already safe."""
        self._db.close()

    def write(self, found: Mapping[Emulation, Summary]) -> None:
        """Write all of the summaries, or none. Raises StorageError."""
        values = ((*emulation, each.encoded) for emulation, each in found.items())
        with _writing(self.path), self._db as db:
            db.execute("BEGIN IMMEDIATE")
            insert = (
                "INSERT INTO simulation (method, variant, seed, network_seed, measured) "
                "VALUES (?, ?, ?, ?, ?)"
            )
            db.executemany(insert, values)

    def annotate(self, meta: Mapping[str, str]) -> None:
        """Add entries to `meta` that are known at the end of a run. Raises StorageError."""
        with _writing(self.path), self._db as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", sorted(meta.items()))

    def meta(self) -> dict[str, str]:
        """Return what the file says of its run, by key, as a ledger does."""
        with _reading(self.path):
            found = self._db.execute("SELECT key, value FROM meta")
            return {str(key): str(value) for key, value in found}

    def emulations(self) -> list[Emulation]:
        """Return all simulations in the order written."""
        select = "SELECT method, variant, seed, network_seed FROM simulation ORDER BY id"
        with _reading(self.path):
            return [_emulation(values) for values in self._db.execute(select)]

    def measured(self) -> Iterator[tuple[Emulation, Measured]]:
        """Yield each simulation with its outcome and curve, in the order written."""
        select = "SELECT method, variant, seed, network_seed, measured FROM simulation ORDER BY id"
        with _reading(self.path):
            for *values, encoded in self._db.execute(select):
                yield _emulation(values), decode(encoded)


def _emulation(values: Iterable[Any]) -> Emulation:
    found = Emulation(*values)
    kinds = tuple(map(type, found))
    if kinds[:3] != (str, str, int) or kinds[3] not in (int, type(None)):
        raise sqlite3.DataError(f"{tuple(found)} is not a valid Emulation")
    return found


_writing = functools.partial(sqlite_file.writing, what="summaries")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, ValidationError, ValueError, TypeError) as error:
        text = f"{path} is not a file of summaries, or damaged: {str(error).splitlines()[0]}"
        raise LedgerError(text, _RUN_AGAIN) from error
