"""Print a digest of each ledger that does not depend on the version or on prose.

    python tests/ledger_digests.py runs/before/*/ledger.sqlite > before.txt

The digest is the SHA-256 of all tables, row by row in key order, without
`meta.provenance['flasc-emu']` (the version) and `meta.remark` (a sentence for people). Equal lines
mean that two versions of flasc-emu simulated the same thing and recorded it in the same way.
"""

import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path


def statements(path: Path) -> Iterator[str]:
    """The schema and every row of the ledger at `path`, as text."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        schema = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY 1")
        for name, sql in schema.fetchall():
            yield sql
            for row in db.execute(f'SELECT * FROM "{name}" ORDER BY 1, 2'):
                if name == "meta" and row[0] == "remark":
                    continue
                if name == "meta" and row[0] == "provenance":
                    provenance = json.loads(row[1])
                    provenance.pop("flasc-emu", None)
                    yield repr((row[0], json.dumps(provenance)))
                else:
                    yield repr(row)


def digest(path: Path) -> str:
    """SHA-256 of `statements(path)`, in hexadecimal."""
    sha = hashlib.sha256()
    for text in statements(path):
        sha.update(text.encode() + b"\0")
    return sha.hexdigest()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(digest(Path(name)), Path(name).parent.name)
