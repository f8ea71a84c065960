"""flasc-emu: what a federated fine-tuning method costs over real networks.

`emulator` keeps time and knows no gradient; `flasc` learns and knows no clock.
`from emulator import Scenario, run, compare`: docs/howto/use_from_python.md.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.api import Results, Scenario, compare, frame, run

__version__ = "0.2.0"
__all__ = ["Results", "Scenario", "compare", "frame", "run"]


def __getattr__(name: str) -> Any:
    """The names of `emulator.api`, loaded when first asked for: importing us must stay instant."""
    if name in __all__:
        from emulator import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
