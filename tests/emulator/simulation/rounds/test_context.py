"""The log keeps the order of rows that are added one by one and in blocks."""

from hypothesis import given, strategies as st

from emulator.simulation.event_table import EventTable
from emulator.simulation.records import OUTCOMES, Absence, Computation, Row, Transfer
from emulator.simulation.rounds.context import EventLog

from ..some_rows import ANY_ROWS


@given(st.lists(st.tuples(st.booleans(), ANY_ROWS), max_size=6), st.data())
def test_a_log_has_its_rows_in_order_with_their_outcomes(
    parts: list[tuple[bool, list[Row]]], data: st.DataObject
) -> None:
    seen: list[Row | EventTable] = []
    log, expected, numbers = EventLog(seen.append), list[Row](), {}
    for is_block, rows in parts:
        if is_block:
            log.add_block(EventTable.of(rows))
            assert seen[-1] == rows
        for i, row in enumerate(rows):
            if not is_block:
                numbers[len(expected) + i] = log.add(row)
                assert seen[-1] == row
        expected += rows
        works = [i for i in numbers if isinstance(expected[i], Transfer | Computation | Absence)]
        for i in data.draw(st.lists(st.sampled_from(works), max_size=2)) if works else ():
            outcome, age = data.draw(st.sampled_from(OUTCOMES)), data.draw(st.integers(0, 3))
            log.set_outcome([numbers[i]], outcome, age)
            expected[i] = expected[i]._replace(outcome=outcome, staleness=age)
        assert log.rows == expected
