"""Errors that the user can fix; internal errors are assertions.

Each says what was found, what is allowed and what to do. The exit code is 2 by default.
"""

from typing import Any

from typing_extensions import override

from flasc.common.errors import FieldError as FieldError, KeyPath as KeyPath, UserError


class EmulatorError(UserError):
    """Base class of the errors of `emulator`."""


class ScenarioError(EmulatorError):
    """A scenario file, key or value that cannot be used."""


class RecordingError(EmulatorError):
    """A recording that is unreadable, of another training or inconsistent."""


class NotRecordedError(RecordingError):
    """A replay that may not train, and needs what is not recorded.

    If its recording ended before the target, `missed` says which target it is, like 'loss 1.20',
    and `best` is the best score.
    """

    def __init__(self, message: str, hint: str = "", missed: str = "", best: float = 0.0) -> None:
        super().__init__(message, hint)
        self.missed, self.best = missed, best

    @override
    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.message, self.hint, self.missed, self.best)


class MessageLogError(EmulatorError):
    """A message log that cannot be read, or that lacks what is asked of it."""


class LedgerError(EmulatorError):
    """A run folder or ledger that is missing or invalid."""


class EmulationError(EmulatorError):
    """A valid scenario that cannot be carried out."""


class StalledError(EmulationError):
    """A simulation that cannot continue; its results so far are kept."""


class GivenUpError(StalledError):
    """A simulation that ended because its target was not reached in a given simulated time."""


class StorageError(EmulatorError):
    """The disk is full or read-only. What was recorded before stays valid."""


class SupportError(EmulatorError):
    """Something that this machine or user account cannot do."""

    exit_code = 3
