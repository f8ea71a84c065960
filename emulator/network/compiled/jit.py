"""Compiles functions with numba; without it, they run as plain Python, which only tests do."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from emulator.network.compiled import AVAILABLE

F = TypeVar("F", bound=Callable[..., Any])

if AVAILABLE:
    import numba
    from numba.core import event
    from numba.extending import intrinsic

    def part(function: F) -> F:
        """`function`, to be called by compiled functions only: compiled as part of them.

        Without `fastmath`, so that the bits are the same on every processor; a division by zero
        gives infinity. Nothing here allocates, and counting references took half of the time.
        """
        jitted: F = numba.njit(
            error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True
        )(function)
        return jitted

    def entry(function: F) -> F:
        """`function`, compiled at its first call, or loaded from numba's cache on disk."""
        options = {"error_model": "numpy", "_nrt": False}
        jitted: F
        try:
            jitted = numba.njit(cache=True, **options)(function)
        except RuntimeError:  # neither this folder nor the user's can be written
            jitted = numba.njit(**options)(function)
        return jitted

    @intrinsic  # type: ignore[untyped-decorator]  # numba is not typed
    def pointer(_: Any, array: Any) -> Any:
        """The address of an array's first element: half of the code of an array, and faster."""

        def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return context.make_array(signature.args[0])(context, builder, args[0]).data

        return numba.types.CPointer(array.dtype)(array), build

    class _Once(event.Listener):  # type: ignore[misc]  # numba is not typed
        """Calls a function at the first event."""

        def __init__(self, tell: Callable[[], None]) -> None:
            self._tell: Callable[[], None] | None = tell

        def on_start(self, _: Any) -> None:
            if (tell := self._tell) is not None:
                self._tell = None
                tell()

        def on_end(self, _: Any) -> None:
            pass

    @contextlib.contextmanager
    def telling(compiling: Callable[[], None]) -> Iterator[None]:
        """Calls `compiling` once if a function is compiled: not if it is loaded from the cache."""
        with event.install_listener("numba:compile", _Once(compiling)):
            yield

else:

    def part(function: F) -> F:
        """`function` itself."""
        return function

    entry = part

    def pointer(array: Any) -> Any:
        """The array itself."""
        return array
