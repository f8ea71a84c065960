"""Methods whose clients train only inside a mask that is ranked by the server's vector."""

import torch
from torch import Tensor

from flasc.methods.base import Got, Mask, Method, largest, scheduled
from flasc.methods.top_k import count, top_k


class FederatedSelect(Method):
    """Federated Select (Charles et al., arXiv 2208.09432): a slice of the model for each round.

    The slice is FLASC's download, the same for everybody; nothing outside it is trained or sent.
    """

    upload_support_known = True

    def down(self, params: Tensor, version: int, tier: int) -> Mask:
        """Exact global top-k of |P|, ranked anew each round."""
        s = self.settings
        return largest(params, scheduled(s.density, s.gamma, s.every, version))

    def trains(self, got: Got) -> Mask:
        """Only what was sent down."""
        return got.down

    def up(self, delta: Tensor, got: Got) -> Mask:
        """Only what was trained."""
        return got.down


class AdapterLth(FederatedSelect):
    """Adapter LTH (Wu and Chen 2022), as a federated run: what is pruned stays pruned.

    After every so many rounds the smallest entries of those that are left go. Nothing is rewound.
    """

    _mask: Mask = None

    def down(self, params: Tensor, version: int, tier: int) -> Mask:
        """What is left."""
        return self._mask

    def renewed(self, params: Tensor, version: int) -> None:
        """Prune where it is time."""
        s = self.settings
        k = count(params.numel(), scheduled(1.0, s.gamma, s.every, version))
        if k == params.numel() or version % s.every:
            return
        left = torch.arange(params.numel(), device=params.device)
        if self._mask is not None:
            left = left[self._mask]
        self._mask = torch.zeros(params.numel(), dtype=torch.bool, device=params.device)
        self._mask[left[top_k(params[left], k)]] = True

    def state(self) -> dict[str, Tensor]:
        """The mask, once something is pruned."""
        return {} if self._mask is None else {"mask": self._mask}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up the mask."""
        self._mask = state.get("mask")
