"""Round policies: who takes part, when, and whose update counts. One file a policy."""

from emulator.rounds.synchronous import synchronous

__all__ = ["synchronous"]
