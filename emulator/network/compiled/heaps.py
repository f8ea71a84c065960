"""Binary heaps: the smallest key first, ties by order."""

from emulator.network.compiled.jit import part
from emulator.network.compiled.layout import (
    ENTRIES,
    HEAP_ITEM,
    HEAP_KEY,
    HEAP_ORDER,
    SIZE,
    Floats,
    Ints,
)


@part
def first_key(f: Floats, i: Ints, heap: int) -> float:
    """Key of the first entry of a heap that is not empty."""
    return f[i[HEAP_KEY] + heap * i[ENTRIES]]


@part
def first_order(i: Ints, heap: int) -> int:
    """Order of the first entry."""
    return i[i[HEAP_ORDER] + heap * i[ENTRIES]]


@part
def first_item(i: Ints, heap: int) -> int:
    """Item of the first entry."""
    return i[i[HEAP_ITEM] + heap * i[ENTRIES]]


@part
def push(f: Floats, i: Ints, heap: int, key: float, order: int, item: int) -> None:
    """Adds an entry; there is room for it."""
    first = heap * i[ENTRIES]
    keys, orders, items = i[HEAP_KEY] + first, i[HEAP_ORDER] + first, i[HEAP_ITEM] + first
    at = i[SIZE + heap]
    i[SIZE + heap] += 1
    while at > 0:
        parent = (at - 1) >> 1
        above = f[keys + parent]
        if above < key or (above == key and i[orders + parent] <= order):
            break
        f[keys + at], i[orders + at] = above, i[orders + parent]
        i[items + at] = i[items + parent]
        at = parent
    f[keys + at], i[orders + at], i[items + at] = key, order, item


@part
def pop(f: Floats, i: Ints, heap: int) -> None:
    """Removes the first entry."""
    first = heap * i[ENTRIES]
    keys, orders, items = i[HEAP_KEY] + first, i[HEAP_ORDER] + first, i[HEAP_ITEM] + first
    i[SIZE + heap] -= 1
    size, at = i[SIZE + heap], 0
    key, order, item = f[keys + size], i[orders + size], i[items + size]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        below, other = f[keys + child], child + 1
        if other < size and (
            f[keys + other] < below
            or (f[keys + other] == below and i[orders + other] < i[orders + child])
        ):
            child, below = other, f[keys + other]
        if key < below or (key == below and order <= i[orders + child]):
            break
        f[keys + at], i[orders + at] = below, i[orders + child]
        i[items + at] = i[items + child]
        at = child
    f[keys + at], i[orders + at], i[items + at] = key, order, item
