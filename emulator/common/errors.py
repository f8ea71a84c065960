"""What a user can get wrong. Each error says what was found, what is allowed and what to do.

    EmulatorError            exit code 2
    ├── ScenarioError        a key, value or file of a scenario
    ├── RecordingError       a recording that is unreadable, foreign or contradicts itself
    ├── LedgerError          a run folder or ledger that is not one
    ├── EmulationError       a scenario that is well formed but cannot be carried out
    │   └── StalledError     it could, up to a point; what was done so far is kept
    ├── StorageError         the disk refused
    └── SupportError         this machine cannot do it: exit code 3

Errors of `flasc` (`flasc.common.errors.FlascError`) show in the same voice. A broken invariant of
ours
is an `assert`, never one of these.
"""

KeyPath = tuple[str | int, ...]


class EmulatorError(Exception):
    """Something the user can mend. `hint` is the next step, if there is one to name."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.message, self.hint)  # workers send their errors home


class ScenarioError(EmulatorError):
    """A scenario file, key or value that cannot be used."""


class RecordingError(EmulatorError):
    """A recording that is unreadable, foreign or contradicts itself."""


class LedgerError(EmulatorError):
    """A run folder or ledger that is missing or not one of ours."""


class EmulationError(EmulatorError):
    """A well-formed scenario that cannot be carried out."""


class StalledError(EmulationError):
    """An emulation that cannot go on."""


class StorageError(EmulatorError):
    """The disk is full or read-only. What was recorded before stays valid."""


class SupportError(EmulatorError):
    """Something that this machine, or whoever runs us on it, cannot do."""

    exit_code = 3


class FieldError(ValueError):
    """What a validator of a whole section finds wrong with one of its keys, at `path`."""

    def __init__(self, path: KeyPath, message: str) -> None:
        super().__init__(message)
        self.path = path
