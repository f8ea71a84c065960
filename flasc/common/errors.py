"""Errors that the user can fix. Torch-free.

UserError           exit code 2
├── AssetError      data or weights that cannot be obtained or are not as expected
├── CodecError      bytes that are not a valid message
├── ModelError      a model that the settings do not fit (LoRA targets that match nothing)
├── PluginError     a package with an invalid flasc-emu entry point
└── DivergedError   training reached infinite or undefined numbers

`emulator.common.errors.EmulatorError` is a subclass too. Internal errors are assertions.
"""


class UserError(Exception):
    """An error that the user can fix; `hint` is the next step or ''."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.message, self.hint)  # workers send errors to the main process


class AssetError(UserError):
    """Data or weights that cannot be obtained or are not as expected."""


class CodecError(UserError):
    """Bytes that are not a valid message."""


class ModelError(UserError):
    """A model that the settings do not fit."""


class PluginError(UserError):
    """A package with an invalid flasc-emu entry point."""


class DivergedError(UserError):
    """Training reached infinite or undefined numbers: the learning rates are too high."""
