"""Rows of a table: a local CSV, TSV, JSON Lines or Parquet file, or a data set of the hub."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flasc.common.errors import AssetError, suggestion

Indices = NDArray[np.int64]
SEPARATORS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*SEPARATORS, ".jsonl", ".parquet")


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length by name; `origin` is a file or a data set, for messages.

    A value is text, a number, a list, or None where a row has none; all of a CSV file are texts.
    """

    origin: str
    columns: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def column(self, name: str, key: str) -> Sequence[Any]:
        """The values of a column, which the setting `key` names. Raises AssetError."""
        if name not in self.columns:
            near = suggestion(name, list(self.columns))
            raise AssetError(
                f"{self.origin}: found no column {name!r} ({key}); {near}{' ' if near else ''}"
                f"its columns: {', '.join(map(repr, self.columns))}"
            )
        return self.columns[name]

    def texts(self, names: Sequence[str], key: str, joint: str = "\n") -> list[str]:
        """The text of each row: its columns `names`, joined. Raises AssetError."""
        columns = [self.column(name, key) for name in names]
        return [
            joint.join(
                self._text(value, name, row) for value, name in zip(found, names, strict=True)
            )
            for row, found in enumerate(zip(*columns, strict=True))
        ]

    def take(self, rows: Indices) -> "Table":
        """The rows at int64 indices, in that order."""
        chosen = rows.tolist()
        taken = {name: [of[row] for row in chosen] for name, of in self.columns.items()}
        return Table(self.origin, taken)

    def _text(self, value: Any, name: str, row: int) -> str:
        is_missing = value is None or (isinstance(value, float) and math.isnan(value))
        if is_missing or isinstance(value, list | dict):
            raise AssetError(
                f"{self.origin}, row {row + 1}: found {value!r} in column {name!r}; allowed: a text"
            )
        return str(value)


def read(path: Path) -> Table:
    """The table in a file. Rows count from 1 in messages, a header aside.

    CSV (RFC 4180) and TSV need a header; a line of JSON Lines is an object. The files may be
    compressed as .gz. Raises AssetError.
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    try:
        if suffix in SEPARATORS:
            columns = _delimited(path, SEPARATORS[suffix])
        elif suffix == ".jsonl":
            columns = _json_lines(path)
        elif suffix == ".parquet":
            columns = _parquet(path)
        else:
            raise AssetError(
                f"{path}: found a file of type {suffix!r}; allowed: {', '.join(SUFFIXES)}"
            )
    except (OSError, UnicodeError, EOFError) as error:
        raise AssetError(
            f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    table = Table(path.name, columns)
    if not len(table):
        raise AssetError(f"{path}: found no rows; allowed: one or more")
    return table


def _delimited(path: Path, separator: str) -> dict[str, Sequence[Any]]:
    """All values as text: 'NA' is 'NA', 007 is '007', and what a short row lacks is ''."""
    import pandas

    try:
        frame = pandas.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError) as error:
        raise AssetError(f"{path}: is not a table: {error}") from error
    if not isinstance(frame.index, pandas.RangeIndex):  # how pandas reads a surplus of values
        found = f"found rows of more than the header's {len(frame.columns)} values"
        raise AssetError(f"{path}: {found}; allowed: a value for each column")
    return {str(name): frame[name].fillna("").tolist() for name in frame.columns}


def _json_lines(path: Path) -> dict[str, Sequence[Any]]:
    rows = list(_objects(path))
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    import gzip

    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                shown = line.strip()[:40]
                raise AssetError(f"{path}, line {number}: found {shown!r}; allowed: a JSON object")
            yield row


def _parquet(path: Path) -> dict[str, Sequence[Any]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise AssetError(
            f"{path}: reading Parquet needs the package pyarrow: {error}",
            "run `pip install 'flasc-emu[data]'`",
        ) from error
    try:
        found: dict[str, Sequence[Any]] = parquet.read_table(path).to_pydict()
    except pyarrow.ArrowException as error:
        raise AssetError(f"{path}: is not a Parquet file: {error}") from error
    return found
