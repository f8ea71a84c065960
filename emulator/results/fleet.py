"""The clients of a simulation by number."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.results.arrays import ends
from emulator.simulation.event_table import Columns


class Fleet:
    """The rows of clients, ascending; of several rows of a client, the last one counts."""

    def __init__(self, columns: Columns[Any]) -> None:
        numbers = columns["client"]
        if (numbers[1:] <= numbers[:-1]).any():
            order, last = ends(numbers)
            columns = columns.take(order[last])
        self.columns = columns
        # As in each simulation: client i is row i.
        self._is_plain = bool(len(columns)) and columns["client"][0] == 0
        self._is_plain = self._is_plain and columns["client"][-1] == len(columns) - 1

    def __len__(self) -> int:
        return len(self.columns)

    def index(self, clients: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of each client in `columns`; -1 for a client that is not in the fleet."""
        known = self.columns["client"]
        if self._is_plain:
            if not len(clients) or (clients.min() >= 0 and clients.max() < len(known)):
                return clients
            found = clients
        else:
            found = np.searchsorted(known, clients)
        places = np.clip(found, 0, len(known) - 1)
        return np.where(known[places] == clients, places, -1) if len(known) else found * 0 - 1

    def of(self, clients: NDArray[np.int64], field: str) -> NDArray[Any]:
        """Return a field of some clients, which are in the fleet."""
        return self.columns[field][self.index(clients)]

    def groups(self, clients: NDArray[np.int64]) -> list[str]:
        """Return the group of some clients, which are in the fleet."""
        return list(
            map(self.columns.words["group"].__getitem__, self.of(clients, "group").tolist())
        )
