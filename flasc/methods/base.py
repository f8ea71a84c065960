"""What a method decides, and the defaults: everything goes down, trains and goes up."""

from typing import Any, ClassVar

from torch import Tensor

from flasc.adapter import Scope

Mask = Tensor | None  # bool [n]; None stands for every entry


class Method:
    """One way to train and to communicate. Subclasses override what differs from dense."""

    scope: ClassVar[Scope] = "adapter"
    # Whether the server knows an upload's support beforehand, so that no index needs to be sent.
    upload_support_known: ClassVar[bool] = False

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def down(self, params: Tensor) -> Mask:
        """Entries of the server's float32 [n] vector that clients get; the rest start at zero."""
        return None

    def trains(self, down: Mask) -> Mask:
        """Entries that a client may move, given what it got."""
        return None

    def up(self, delta: Tensor, down: Mask) -> Mask:
        """Entries of a client's float32 [n] delta that it sends."""
        return None

    def after_step(self, params: Tensor) -> None:
        """Told of the server's new vector after each step."""

    def state(self) -> dict[str, Tensor]:
        """What it must remember, for `restore`."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up a remembered state."""
