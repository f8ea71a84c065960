"""SQLite files that a run replaces, and that stay consistent after a kill at any time."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from emulator.common.errors import StorageError


def journal(path: Path) -> Path:
    """The rollback journal of a file; a run that was killed leaves one."""
    return path.with_name(path.name + "-journal")


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a file in a mode of SQLite's URIs: ro, rw or rwc. Transactions are the caller's."""
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    db = sqlite3.connect(uri, uri=True, isolation_level=None)
    db.execute("PRAGMA trusted_schema = OFF")
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a file that nothing is written to, but for the rollback of a run that was killed."""
    # Only a writable connection can roll back its journal.
    db = connect(path, "rw" if journal(path).exists() else "ro")
    db.execute("PRAGMA query_only = ON")
    return db


@contextmanager
def writing(path: Path, what: str) -> Iterator[None]:
    """Turn errors of the disk into StorageError. Other errors of our own SQL are bugs."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        hint = "free some space or choose a writable folder; complete simulations are kept"
        raise StorageError(f"cannot write the {what} {path}: {error}", hint) from error


class Format(NamedTuple):
    """What a file says of itself, and the statements that make its tables; one is `meta`."""

    application_id: int
    version: int
    schema: Sequence[str]


def created(path: Path, form: Format, meta: Mapping[str, str]) -> sqlite3.Connection:
    """Create a file with `meta` and replace any file at `path`.

    The old file stays until the new one is complete. Returns a connection to write to it.
    """
    fresh = path.with_name(path.name + ".new")
    path.parent.mkdir(parents=True, exist_ok=True)
    for left_over in (fresh, journal(fresh)):
        left_over.unlink(missing_ok=True)
    with closing(connect(fresh, "rwc")) as db:
        db.execute("PRAGMA page_size = 4096")
        with db:
            db.execute("BEGIN IMMEDIATE")
            db.execute(f"PRAGMA application_id = {form.application_id}")
            db.execute(f"PRAGMA user_version = {form.version}")
            for statement in form.schema:
                db.execute(statement)
            db.executemany("INSERT INTO meta VALUES (?, ?)", sorted(meta.items()))
    # SQLite would roll a killed run's journal back into the new file, and without its journal the
    # old file is damaged: remove the file first, then the journal.
    path.unlink(missing_ok=True)
    journal(path).unlink(missing_ok=True)
    fresh.replace(path)
    return connect(path, "rw")
