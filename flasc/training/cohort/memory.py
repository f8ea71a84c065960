"""What need not be computed twice, as long as there is room for it."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

from torch import Tensor

Rows = dict[int, Tensor]  # by an example's index: [its tokens, width]


class Memory:
    """Keeps the rows of whole units, the latest used ones, in at most `limit` bytes.

    A unit is what is always computed together: its bits are the same, kept or made again.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self.nbytes = limit, 0
        self._kept: OrderedDict[Hashable, Rows] = OrderedDict()

    def get(self, unit: Hashable, make: Callable[[], Rows]) -> Rows:
        """The rows of `unit`, made where they are not kept."""
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
