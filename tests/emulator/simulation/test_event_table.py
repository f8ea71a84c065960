"""A table has the rows that it was made of, in their order."""

import pickle

import numpy as np
import pytest
from hypothesis import given, strategies as st

from emulator.simulation.event_table import CHUNK, KINDS, Columns, EventTable, TableBuilder
from emulator.simulation.records import Client, Computation, Evaluation, Row, Transfer

from .some_rows import ANY_ROWS

SENT = Transfer(1, 7, "up", 100, 0.5, 1.0)


@given(ANY_ROWS)
def test_a_table_of_rows_is_these_rows(rows: list[Row]) -> None:
    table = EventTable.of(rows)
    assert list(table) == rows
    assert table == rows
    assert rows == table
    assert len(table) == len(rows)
    assert [table[i] for i in range(len(rows))] == rows
    assert [table[i - len(rows)] for i in range(len(rows))] == rows
    assert table[1:-1] == rows[1:-1]
    assert list(reversed(table)) == rows[::-1]
    assert [type(value) for row in table for value in row] == [
        kind for row in rows for kind in type(row).__annotations__.values()
    ]
    assert pickle.loads(pickle.dumps(table)) == rows
    assert EventTable.of(table) is table


@given(ANY_ROWS)
def test_columns_have_the_rows_of_a_type_and_positions_their_places(rows: list[Row]) -> None:
    table = EventTable.of(rows)
    for record in KINDS:
        places = [i for i, row in enumerate(rows) if type(row) is record]
        assert table.positions(record).tolist() == places
        columns = table.columns(record)
        assert list(columns) == [rows[i] for i in places]
        assert Columns.of(record, iter(columns)).lists(0, 99) == columns.lists(0, 99)
        for name in record._fields:
            if name not in columns.words:
                assert columns[name].tolist() == [getattr(rows[i], name) for i in places]


@given(st.lists(ANY_ROWS, max_size=4))
def test_joined_tables_have_all_rows_in_order(parts: list[list[Row]]) -> None:
    joined = EventTable.joined([EventTable.of(part) for part in parts])
    assert joined == [row for part in parts for row in part]


@given(ANY_ROWS, st.data())
def test_placed_columns_are_in_the_order_of_their_positions(
    rows: list[Row], data: st.DataObject
) -> None:
    gaps = data.draw(st.lists(st.integers(1, 9), min_size=len(rows), max_size=len(rows)))
    places = np.cumsum(np.array(gaps, np.int64))
    owners = np.array(
        data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    )
    order = np.array(data.draw(st.permutations(range(len(rows)))), np.int64)
    parts = []
    for owner in range(3):
        mine = [i for i in order.tolist() if owners[i] == owner]
        table = EventTable.of([rows[i] for i in mine])
        for record in KINDS:
            at = [places[i] for i in mine if type(rows[i]) is record]
            parts.append((table.columns(record), np.array(at, np.int64)))
    assert EventTable.placed(parts) == rows


def test_more_rows_than_are_made_at_once() -> None:
    rows: list[Row] = [SENT._replace(client=i) for i in range(2 * CHUNK + 3)]
    rows[5:5] = [Computation(1, 2, 3, 4, 0.0, 1.0)]
    assert EventTable.of(rows) == rows


def test_a_table_differs_from_other_rows_and_from_no_rows() -> None:
    table = EventTable.of([SENT])
    assert table != [SENT._replace(client=8)]
    assert table != [SENT, SENT]
    assert table != 7
    with pytest.raises(IndexError):
        table[1]
    with pytest.raises(TypeError):
        hash(table)


def test_texts_have_the_same_codes_in_all_tables_where_they_are_known() -> None:
    other = EventTable.of([SENT._replace(direction="wifi", outcome="late"), SENT])
    assert other.columns(Transfer)["direction"].tolist() == [2, 1]
    assert other.columns(Transfer)["outcome"].tolist() == [1, 0]
    assert other.columns(Transfer).having("direction", "up").tolist() == [False, True]
    assert not other.columns(Transfer).having("direction", "none").any()
    clients = [Client(i, f"g{i % 300}", 1.0, 1.0, 0.0, 0.0, 0.0, -1, 1) for i in range(700)]
    assert EventTable.of(clients) == clients


def test_a_value_of_another_type_is_an_error() -> None:
    for wrong in ({"nbytes": 1.5}, {"nbytes": "1"}, {"start_s": None}, {"outcome": b"used"}):
        with pytest.raises(TypeError):
            EventTable.of([SENT, SENT._replace(**wrong)])
    with pytest.raises(AssertionError):
        EventTable.of([SENT, ("no", "row")])


def test_a_builder_changes_rows_and_its_tables_stay() -> None:
    builder = TableBuilder()
    numbers = [builder.add(row) for row in (SENT, Evaluation(1, 1.0, "test", 9, 0.5, 1.0), SENT)]
    before = builder.table()
    builder.set(numbers[2], "outcome", "late")
    builder.set(numbers[2], "staleness", 3)
    builder.add(SENT)
    late = SENT._replace(outcome="late", staleness=3)
    assert builder.table() == [SENT, before[1], late, SENT]
    assert before == [SENT, before[1], SENT]
    replaced = before.replaced(Columns.of(Transfer, [late, late]))
    assert replaced == [late, before[1], late]
