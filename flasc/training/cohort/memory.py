"""A size-limited cache of intermediate results."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

from torch import Tensor

Rows = dict[int, Tensor]  # by an example's index: [its tokens, width]


class Memory:
    """Keeps the rows of the most recently used units, in at most `limit` bytes.

    A unit is a set of examples that are always computed together, so that its bits are the same
    whether it is kept or computed again.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self.nbytes = limit, 0
        self._kept: OrderedDict[Hashable, Rows] = OrderedDict()

    def get(self, unit: Hashable, make: Callable[[], Rows]) -> Rows:
        """The rows of `unit`, made by `make` if they are not kept."""
        if unit in self._kept:
            self._kept.move_to_end(unit)
            return self._kept[unit]
        made = make()
        self._kept[unit] = made
        self.nbytes += _nbytes(made)
        while self.nbytes > self._limit:
            _, gone = self._kept.popitem(last=False)
            self.nbytes -= _nbytes(gone)
        return made


def _nbytes(rows: Rows) -> int:
    return sum(row.nbytes for row in rows.values())
