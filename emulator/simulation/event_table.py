"""The rows of one simulation as numpy columns, by record type, with the order of all rows."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import eq, itemgetter
from typing import Any, Generic, TypeVar, get_args, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from emulator.simulation.records import OUTCOMES, Row

R = TypeVar("R", bound=Row)
Positions = NDArray[np.int64]
RowNumber = tuple[type[Row], int]  # a record type, and how many of its rows are before this one

KINDS: tuple[type[Row], ...] = get_args(Row)
CODES: Mapping[type[Any], int] = {record: code for code, record in enumerate(KINDS)}
# Texts that have the same codes in all tables, in this order; other texts of a field come after.
DIRECTIONS = ("down", "up")
WORDS: Mapping[str, tuple[str, ...]] = {"direction": DIRECTIONS, "outcome": OUTCOMES}
_TYPE_CODES = {int: "q", float: "d", str: "i"}  # of array.array: int64, float64, int32
_FIELDS: Mapping[type[Any], tuple[tuple[str, str, bool], ...]] = {
    record: tuple(
        (name, _TYPE_CODES[kind], kind is str) for name, kind in record.__annotations__.items()
    )
    for record in KINDS
}
CHUNK = 4096  # rows that are made at once: all rows of a large table would not fit into memory


class Columns(Generic[R]):
    """Rows of one record type: one array per field.

    Whole numbers are int64, other numbers float64. Of a text, the array has int32 codes: indices in
    `words[field]`, which begins with WORDS[field] if there is one.
    """

    __slots__ = ("arrays", "record", "words")

    def __init__(
        self,
        record: type[R],
        arrays: tuple[NDArray[Any], ...],
        words: Mapping[str, tuple[str, ...]] = WORDS,
    ) -> None:
        self.record, self.arrays, self.words = record, arrays, words

    @classmethod
    def of(cls, record: type[R], rows: Iterable[R]) -> Columns[R]:
        """The columns of rows of one record type. Raises TypeError for a value of another type."""
        grown = GrowingColumns(record)
        grown.extend(rows)
        return grown.columns()

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, field: str) -> NDArray[Any]:
        """The array of a field: int64 or float64 [rows], or int32 codes of a text."""
        return self.arrays[self.record._fields.index(field)]

    def having(self, field: str, word: str) -> NDArray[np.bool_]:
        """Which rows have this text in a field: bool [rows]."""
        known = self.words[field]
        found: NDArray[np.bool_] = self[field] == (known.index(word) if word in known else -1)
        return found

    def take(self, which: NDArray[Any]) -> Columns[R]:
        """The rows at some indices, or where a bool array is true."""
        return Columns(self.record, tuple(each[which] for each in self.arrays), self.words)

    def lists(self, start: int, stop: int) -> list[list[Any]]:
        """One list per field with Python's own numbers and texts, of rows `start` to `stop`."""
        return [
            [*map(self.words[name].__getitem__, values[start:stop].tolist())]
            if is_text
            else values[start:stop].tolist()
            for (name, _, is_text), values in zip(_FIELDS[self.record], self.arrays, strict=True)
        ]

    def __iter__(self) -> Iterator[R]:
        for start in range(0, len(self), CHUNK):
            yield from map(self.record, *self.lists(start, start + CHUNK))

    def row(self, index: int) -> R:
        """One row."""
        return self.record(*(values[0] for values in self.lists(index, index + 1)))


class GrowingColumns(Generic[R]):
    """Columns of one record type to which rows are added."""

    __slots__ = ("_arrays", "_record", "_words")

    def __init__(self, record: type[R]) -> None:
        self._record = record
        self._arrays: list[array[Any]] = [array(code) for _, code, _ in _FIELDS[record]]
        self._words = [
            {word: code for code, word in enumerate(WORDS.get(name, ()))} if is_text else None
            for name, _, is_text in _FIELDS[record]
        ]

    def __len__(self) -> int:
        return len(self._arrays[0])

    def append(self, row: R) -> None:
        """Add a row. Raises TypeError for a value of another type."""
        for values, known, value in zip(self._arrays, self._words, row, strict=True):
            values.append(value if known is None else _code(known, value))

    def extend(self, rows: Iterable[R]) -> None:
        """Add many rows."""
        rows = list(rows)
        self.extend_fields([map(itemgetter(i), rows) for i in range(len(self._arrays))])

    def extend_fields(self, fields: Sequence[Iterable[Any]]) -> None:
        """Add many rows, given as their values by field."""
        for values, known, found in zip(self._arrays, self._words, fields, strict=True):
            if known is None:
                values.extend(found)
            else:
                words = list(found)
                for word in dict.fromkeys(words):
                    _code(known, word)
                values.extend(map(known.__getitem__, words))

    def set(self, index: int, field: str, value: Any) -> None:
        """Change a value of a row."""
        place = self._record._fields.index(field)
        known = self._words[place]
        self._arrays[place][index] = value if known is None else _code(known, value)

    def columns(self) -> Columns[R]:
        """A copy of the columns, to which later rows are not added."""
        named = zip(self._record._fields, self._words, strict=True)
        words = {name: tuple(known) for name, known in named if known is not None}
        return Columns(self._record, tuple(map(np.array, self._arrays)), words)


_NO_ROWS: Mapping[type[Any], Columns[Any]] = {
    record: GrowingColumns(record).columns() for record in KINDS
}


def _code(known: dict[str, int], word: Any) -> int:
    if type(word) is not str:
        raise TypeError(f"found {word!r} as a text of a row")
    return known.setdefault(word, len(known))


class EventTable(Sequence[Row]):
    """The rows of one simulation, as columns by record type.

    It is a sequence of row objects, which are made when they are asked for. `kinds` has the record
    type of each row in order, as an index in KINDS: int8 [rows].
    """

    __slots__ = ("_columns", "kinds")

    def __init__(self, kinds: NDArray[np.int8], columns: Mapping[type[Any], Columns[Any]]) -> None:
        """Make a table of columns: as many rows of each as `kinds` has of its record type."""
        self.kinds, self._columns = kinds, columns

    @classmethod
    def of(cls, rows: Iterable[Row]) -> EventTable:
        """The table of `rows`; `rows` itself if it is one. Raises TypeError for a wrong value."""
        if isinstance(rows, EventTable):
            return rows
        builder = TableBuilder()
        builder.extend(rows)
        return builder.table()

    @classmethod
    def only(cls, columns: Columns[Any]) -> EventTable:
        """A table of rows of one record type."""
        kinds = np.full(len(columns), CODES[columns.record], np.int8)
        return cls(kinds, {columns.record: columns})

    @classmethod
    def joined(cls, tables: Sequence[EventTable]) -> EventTable:
        """The rows of the first table, then those of the second one, and so on."""
        if len(tables) == 1:
            return tables[0]
        found: dict[type[Row], list[Columns[Any]]] = {}
        for table in tables:
            for record, columns in table._columns.items():
                found.setdefault(record, []).append(columns)
        kinds = np.concatenate([np.zeros(0, np.int8), *(table.kinds for table in tables)])
        return cls(kinds, {record: _joined(parts) for record, parts in found.items()})

    @classmethod
    def placed(cls, parts: Iterable[tuple[Columns[Any], Positions]]) -> EventTable:
        """The rows of all parts in the order of their positions, which need not be consecutive."""
        found: dict[type[Row], list[tuple[Columns[Any], Positions]]] = {}
        for columns, places in parts:
            found.setdefault(columns.record, []).append((columns, places))
        kinds, positions = [np.zeros(0, np.int8)], [np.zeros(0, np.int64)]
        ordered: dict[type[Row], Columns[Any]] = {}
        for record, of_record in found.items():
            joined = _joined([columns for columns, _ in of_record])
            places = np.concatenate([each for _, each in of_record])
            if (np.diff(places) < 0).any():
                joined = joined.take(np.argsort(places, kind="stable"))
            ordered[record] = joined
            positions.append(places)
            kinds.append(np.full(len(places), CODES[record], np.int8))
        order = np.argsort(np.concatenate(positions), kind="stable")
        return cls(np.concatenate(kinds)[order], ordered)

    @classmethod
    def merged(cls, tables: Iterable[tuple[EventTable, Positions]]) -> EventTable:
        """The rows of all tables in the order of their positions: int64 [rows of the table]."""
        return cls.placed(
            (columns, positions[table.positions(record)])
            for table, positions in tables
            for record, columns in table._columns.items()
        )

    def columns(self, record: type[R]) -> Columns[R]:
        """The rows of one record type, in their order."""
        found: Columns[R] = self._columns.get(record, _NO_ROWS[record])
        return found

    def positions(self, record: type[Row]) -> Positions:
        """The index in the table of each row of one record type: int64 [rows], ascending."""
        return np.flatnonzero(self.kinds == CODES[record])

    def replaced(self, columns: Columns[Any]) -> EventTable:
        """The table with other columns, as long as before, for one record type."""
        assert len(columns) == len(self.columns(columns.record))
        return EventTable(self.kinds, {**self._columns, columns.record: columns})

    @property
    def nbytes(self) -> int:
        """Memory that the arrays take, in bytes."""
        arrays = (each for columns in self._columns.values() for each in columns.arrays)
        return int(self.kinds.nbytes + sum(each.nbytes for each in arrays))

    def __len__(self) -> int:
        return len(self.kinds)

    @override
    def __iter__(self) -> Iterator[Row]:
        sources = {CODES[record]: iter(columns) for record, columns in self._columns.items()}
        return map(next, map(sources.__getitem__, self.kinds.tolist()))

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        index = range(len(self))[index]  # negative indices, and IndexError
        kind = self.kinds[index]
        before = np.count_nonzero(self.kinds[:index] == kind)
        row: Row = self._columns[KINDS[kind]].row(int(before))
        return row

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EventTable | list | tuple):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        return f"EventTable.of({list(self)!r})"


class TableBuilder:
    """Collects rows one by one into a table."""

    __slots__ = ("_columns", "_kinds")

    def __init__(self) -> None:
        self._kinds = array("b")
        self._columns: dict[type[Row], GrowingColumns[Any]] = {}

    def __len__(self) -> int:
        return len(self._kinds)

    def add(self, row: Row) -> RowNumber:
        """Add a row; returns its number. Raises TypeError for a value of another type."""
        record = type(row)
        columns = self._columns_of(record)
        columns.append(row)
        self._kinds.append(CODES[record])
        return record, len(columns) - 1

    def extend(self, rows: Iterable[Row]) -> None:
        """Add many rows."""
        rows = list(rows)
        records = list(map(type, rows))
        for record in dict.fromkeys(records):
            self._columns_of(record).extend(row for row in rows if type(row) is record)
        self._kinds.extend(map(CODES.__getitem__, records))

    def set(self, number: RowNumber, field: str, value: Any) -> None:
        """Change a value of a row that was added."""
        record, index = number
        self._columns[record].set(index, field, value)

    def table(self) -> EventTable:
        """The rows so far."""
        columns = {record: grown.columns() for record, grown in self._columns.items()}
        return EventTable(np.array(self._kinds, np.int8), columns)

    def _columns_of(self, record: type[Row]) -> GrowingColumns[Any]:
        if (found := self._columns.get(record)) is None:
            assert record in CODES, f"{record} is no record of the ledger"
            found = self._columns[record] = GrowingColumns(record)
        return found


def _joined(parts: Sequence[Columns[Any]]) -> Columns[Any]:
    """The rows of columns of one record type, one after another."""
    if len(parts) == 1:
        return parts[0]
    record = parts[0].record
    texts = [name for name, _, is_text in _FIELDS[record] if is_text]
    if any(each.words[name] != parts[0].words[name] for each in parts for name in texts):
        common = {
            name: tuple(dict.fromkeys(word for each in parts for word in each.words[name]))
            for name in texts
        }
        parts = [_recoded(each, common) for each in parts]
    arrays = zip(*(each.arrays for each in parts), strict=True)
    return Columns(record, tuple(map(np.concatenate, arrays)), parts[0].words)


def _recoded(columns: Columns[Any], words: Mapping[str, tuple[str, ...]]) -> Columns[Any]:
    """The same rows with other codes of their texts: indices in `words`."""
    arrays = []
    for (name, _, is_text), values in zip(_FIELDS[columns.record], columns.arrays, strict=True):
        known = {word: code for code, word in enumerate(words.get(name, ()))}
        codes = [known[word] for word in columns.words[name]] if is_text else []
        arrays.append(np.array(codes, np.int32)[values] if is_text else values)
    return Columns(columns.record, tuple(arrays), words)
