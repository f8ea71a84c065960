"""SparseAdapter as FLASC's authors run it: one dense round, then one magnitude mask for good."""

from torch import Tensor

from flasc.methods.base import Mask, Method
from flasc.sparsity import count, top_k


class SparseAdapter(Method):
    """Clients get, train and send the entries inside the mask only.

    A client that takes part for the first time must be told the mask, so it goes down each time;
    the server knows it, so uploads carry values alone.
    """

    upload_support_known = True
    _mask: Mask = None

    def down(self, params: Tensor) -> Mask:
        """Everything in the first round, the fixed mask afterwards."""
        return self._mask

    def trains(self, down: Mask) -> Mask:
        """Only what was sent down."""
        return down

    def up(self, delta: Tensor, down: Mask) -> Mask:
        """Only what was trained."""
        return down

    def after_step(self, params: Tensor) -> None:
        """Fix the mask after the first step, by magnitude."""
        if self._mask is None:
            self._mask = top_k(params, count(params.numel(), self.settings.density))

    def state(self) -> dict[str, Tensor]:
        """The fixed mask, once there is one."""
        return {} if self._mask is None else {"mask": self._mask}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up the fixed mask."""
        self._mask = state.get("mask")
