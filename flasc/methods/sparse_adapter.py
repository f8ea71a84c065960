"""SparseAdapter (He et al., arXiv 2210.04284): score every entry once, train the best for good.

By default as FLASC's authors run it: one dense round, then a mask by magnitude. The original's
other scores follow its code: random, SNIP's |g theta| (Lee et al., arXiv 1810.02340) and GraSP's
theta H g (Wang et al., arXiv 2002.07376). It takes gradients from training data; a server has none,
so clients measure them, on data of their own, and send them up: a round that trains nothing.
"""

from typing import Any

import torch
from torch import Tensor

from flasc.common import rng
from flasc.methods.base import Got, Layout, Mask, Method, Task
from flasc.methods.top_k import count, top_k

_MEASURED: dict[str, Task] = {"snip": "gradient", "grasp": "curvature"}


class SparseAdapter(Method):
    """Clients get, train and send the entries inside the mask only.

    A client that takes part for the first time must be told the mask, so it goes down each time;
    the server knows it, so uploads carry values alone.
    """

    upload_support_known = True
    _mask: Mask = None

    def __init__(self, settings: Any, layout: Layout) -> None:
        super().__init__(settings, layout)
        self.examples = settings.examples

    def asks(self, version: int) -> Task:
        """What the score is made of, from the time that the mask is due until there is one."""
        due = self._mask is None and version >= self.settings.dense_rounds
        return _MEASURED.get(self.settings.score, "update") if due else "update"

    def down(self, params: Tensor, version: int, tier: int) -> Mask:
        """Everything until the mask is fixed, then the mask."""
        return self._mask

    def trains(self, got: Got) -> Mask:
        """Only what was sent down."""
        return got.down

    def up(self, delta: Tensor, got: Got) -> Mask:
        """Only what was trained."""
        return got.down

    def renewed(self, params: Tensor, version: int) -> None:
        """Fix the mask when it is due, unless it takes gradients."""
        s = self.settings
        if self._mask is not None or version < s.dense_rounds:
            return
        if s.score == "magnitude":
            self._mask = top_k(params, count(params.numel(), s.density))
        elif s.score == "random":
            drawn = rng.stream(self.layout.seed, "mask").random(params.numel())
            self._fix(torch.from_numpy(drawn).to(params.device))

    def measured(self, params: Tensor, mean: Tensor) -> None:
        """Fix the mask by the mean gradient g, or by the mean of each client's own H g."""
        if self._mask is None:
            snip = self.settings.score == "snip"
            self._fix((mean * params).abs() if snip else mean * params)

    def _fix(self, scores: Tensor) -> None:
        """Keep exactly the k highest scores; ties go to the lowest index."""
        k = count(scores.numel(), self.settings.density)
        kept = torch.argsort(scores, descending=True, stable=True)[:k]
        self._mask = torch.zeros(scores.numel(), dtype=torch.bool, device=scores.device)
        self._mask[kept] = True

    def state(self) -> dict[str, Tensor]:
        """The fixed mask, once there is one."""
        return {} if self._mask is None else {"mask": self._mask}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up the fixed mask."""
        self._mask = state.get("mask")
