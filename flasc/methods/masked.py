"""Methods whose clients train and send exactly the entries that they receive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from flasc.methods.base import Mask, Method, ReceivedModel

if TYPE_CHECKING:
    from torch import Tensor


class MaskedMethod(Method):
    """The download mask is also the trainable mask and the upload mask.

    Its settings have `upload_support_known = True`.
    """

    @override
    def trainable_mask(self, received: ReceivedModel) -> Mask:
        return received.down

    @override
    def upload_mask(self, delta: Tensor, received: ReceivedModel) -> Mask:
        return received.down


class FixedMaskMethod(MaskedMethod):
    """A masked method with one mask for all clients, kept between rounds."""

    _mask: Mask = None

    @override
    def download_mask(self, params: Tensor, version: int, tier: int) -> Mask:
        return self._mask

    @override
    def state(self) -> dict[str, Tensor]:
        return {} if self._mask is None else {"mask": self._mask}

    @override
    def restore(self, state: dict[str, Tensor]) -> None:
        self._mask = state.get("mask")
