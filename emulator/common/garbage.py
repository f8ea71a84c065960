"""How often Python looks for reference cycles."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def relaxed_gc() -> Iterator[None]:
    """Makes Python's garbage collector look for reference cycles less often.

    It scans all objects again and again: a tenth of the time of loading modules, and a fifth of a
    simulation with 10,000 clients (docs/background/performance.md). Cycles are few here, and still
    collected.
    """
    before = gc.get_threshold()
    gc.set_threshold(1_000_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
