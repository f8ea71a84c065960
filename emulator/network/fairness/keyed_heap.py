"""A heap with changeable keys and lazy deletion."""

import math
from heapq import heapify, heappop, heappush

_EMPTY = math.inf, math.inf


class KeyedHeap:
    """Names in the order of their keys, ties by name. O(log n) amortised per change."""

    __slots__ = ("_heap", "_keys")

    def __init__(self) -> None:
        self._keys: dict[float, float] = {}
        self._heap: list[tuple[float, float]] = []  # entries whose key is not in `_keys` are stale

    def put(self, name: float, key: float) -> None:
        """Sets the key of `name`."""
        self._keys[name] = key
        if len(self._heap) > 2 * len(self._keys) + 16:
            self._heap = [(key, name) for name, key in self._keys.items()]
            heapify(self._heap)
        else:
            heappush(self._heap, (key, name))

    def drop(self, name: float) -> None:
        """Removes `name` if present."""
        self._keys.pop(name, None)

    def take(self, key: float) -> list[float]:
        """Removes all names with a key of at most `key`, and returns them."""
        taken: list[float] = []
        while self._heap and self._heap[0][0] <= key:
            at, name = heappop(self._heap)
            if self._keys.get(name) == at:
                del self._keys[name]
                taken.append(name)
        return taken

    def first(self) -> tuple[float, float]:
        """(key, name) of the smallest key; infinities if empty."""
        heap, keys = self._heap, self._keys
        while heap:
            head = heap[0]
            if keys.get(head[1]) == head[0]:
                return head
            heappop(heap)
        return _EMPTY
