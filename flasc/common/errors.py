"""What can go wrong while learning that the user can mend. Torch-free.

FlascError
├── AssetError      data or weights that cannot be had, or are not what they should be
├── CodecError      bytes that are no message of ours
├── ModelError      a model that the settings do not fit (LoRA targets that match nothing)
├── PluginError     a package that claims to bring a method or the like, and does not
└── DivergedError   training left the finite numbers
"""


class FlascError(Exception):
    """Something the user can mend. `hint` is the next step, if there is one to name."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.message, self.hint)  # workers send their errors home


class AssetError(FlascError):
    """Data or weights that cannot be had, or are not what they should be."""


class CodecError(FlascError):
    """Bytes that are no message of ours."""


class ModelError(FlascError):
    """A model that the settings do not fit."""


class PluginError(FlascError):
    """A package that claims to bring a method or the like, and does not."""


class DivergedError(FlascError):
    """Training left the finite numbers: the rates are too high."""
