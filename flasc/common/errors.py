"""Errors that the user can fix. Torch-free. Internal errors are assertions.

`emulator.common.errors.EmulatorError` is a subclass of UserError too.
"""

import difflib
from collections.abc import Sequence
from typing import Any

KeyPath = tuple[str | int, ...]


def suggestion(name: str, known: Sequence[str]) -> str:
    """A hint with the known name closest to `name`; '' if none is close."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else ""


class UserError(Exception):
    """An error that the user can fix; `hint` is the next step or ''."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.message, self.hint)  # workers send errors to the main process


class AssetError(UserError):
    """Data or weights that cannot be obtained or are not as expected."""


class CodecError(UserError):
    """Bytes that are not a valid message."""


class ModelError(UserError):
    """A model that the settings do not fit (LoRA targets that match nothing)."""


class PluginError(UserError):
    """A package with an invalid flasc-emu entry point."""


class DivergedError(UserError):
    """Training reached infinite or undefined numbers: the learning rates are too high."""


class FieldError(ValueError):
    """Raised by a validator of a section about the key at `path` in it."""

    def __init__(self, path: KeyPath, message: str) -> None:
        super().__init__(message)
        self.path = path
