"""Clients are found by number, whatever the numbers of a fleet are."""

import numpy as np
from hypothesis import given, strategies as st

from emulator.results.fleet import Fleet
from emulator.simulation.event_table import Columns
from emulator.simulation.records import Client

NUMBERS = st.integers(-2, 6)


@given(st.one_of(st.lists(NUMBERS), st.integers(0, 5).map(range)), st.lists(NUMBERS))
def test_each_client_has_its_last_row_and_others_none(fleet, asked):
    clients = [Client(n, f"g{i}", i + 1.0, 1.0, 0.0, 0.0, 0.0, -1, i) for i, n in enumerate(fleet)]
    known = {client.client: client for client in clients}
    found = Fleet(Columns.of(Client, clients))
    assert list(found.columns) == [known[n] for n in sorted(known)]
    rows = list(found.columns)
    index = found.index(np.array(asked, np.int64)).tolist()
    assert [rows[i] if i >= 0 else None for i in index] == [known.get(n) for n in asked]
    inside = np.array([n for n in asked if n in known], np.int64)
    assert found.groups(inside) == [known[n].group for n in inside.tolist()]
    assert found.of(inside, "down_Bps").tolist() == [known[n].down_Bps for n in inside.tolist()]
