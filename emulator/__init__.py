"""flasc-emu: simulated times and bytes of federated fine-tuning over networks.

`emulator` simulates time and computes no gradient; `flasc` trains and measures no time.
`from emulator import Scenario, run, compare`: docs/howto/use_from_python.md.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.api import (
        EmulatorError,
        Results,
        Scenario,
        compare,
        frame,
        ray_engine,
        run,
        search,
    )

__version__ = "0.2.0"
__all__ = [
    "EmulatorError", "Results", "Scenario", "compare", "frame", "ray_engine", "run", "search"
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """A name of `emulator.api`, loaded at its first use: `import emulator` takes no time."""
    if name in __all__:
        from emulator import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
