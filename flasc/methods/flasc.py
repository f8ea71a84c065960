"""FLASC (arXiv 2406.05233): train everything, send the largest entries, ranked anew each round."""

from torch import Tensor

from flasc.methods.base import Mask, Method
from flasc.sparsity import count, top_k


class Flasc(Method):
    """Down: the top of |P|. Up: each client's own top of |delta|. No error feedback."""

    def down(self, params: Tensor) -> Mask:
        """Exact global top-k over all entries, A, B and head together."""
        return _densest(params, self.settings.down)

    def up(self, delta: Tensor, down: Mask) -> Mask:
        """Exact global top-k of the client's delta; it need not lie inside the download."""
        return _densest(delta, self.settings.up)


def _densest(values: Tensor, density: float) -> Mask:
    k = count(values.numel(), density)
    return None if k == values.numel() else top_k(values, k)
