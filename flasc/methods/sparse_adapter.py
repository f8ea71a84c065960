"""SparseAdapter (He et al., arXiv 2210.04284): entries are scored once; the best are trained.

The default is that of FLASC's authors: one dense round, then a mask by magnitude. The other scores
of the original follow its code: random, SNIP's |g theta| (Lee et al., arXiv 1810.02340) and GraSP's
theta H g (Wang et al., arXiv 2002.07376). The original takes gradients from training data. A server
has none, so clients measure gradients on their data and upload them in a round without training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from typing_extensions import override

from flasc.common import rng
from flasc.common.messages import Request
from flasc.common.settings import Density, PositiveInt, newer
from flasc.methods.base import Method, MethodSettings, VectorLayout
from flasc.methods.masked import FixedMaskMethod
from flasc.methods.top_k import count, top_k

if TYPE_CHECKING:
    from torch import Tensor

_MEASURED: dict[str, Request] = {"snip": "gradient", "grasp": "curvature"}


class SparseAdapter(MethodSettings):
    """SparseAdapter: one fixed mask; clients train only inside it (arXiv 2210.04284).

    The mask is fixed after `dense_rounds` by a `score` of each entry; with 0, as in the original,
    at the start. SNIP and GraSP need gradients: in one round, each client of the cohort measures
    them on its first `examples`.
    """

    upload_support_known = True
    kind: Literal["sparse_adapter"]
    density: Density
    """share of the entries in the mask"""
    score: Literal["magnitude", "random", "snip", "grasp"] = newer("magnitude")
    """score; the mask keeps the largest entries"""
    dense_rounds: Annotated[int, Field(ge=0, le=2**31 - 1)] = newer(1)
    """number of dense rounds before the mask is fixed"""
    examples: PositiveInt = newer(16)
    """number of a client's examples, the first ones, for `snip` and `grasp`"""

    @property
    @override
    def private(self) -> bool:
        return self.score not in _MEASURED  # gradients are measured beside updates

    @property
    @override
    def densities(self) -> tuple[float, float] | None:
        return self.density, self.density

    @override
    def build(self, layout: VectorLayout) -> Method:
        return SparseAdapterMethod(self, layout)


class SparseAdapterMethod(FixedMaskMethod):
    """Clients receive, train and send the entries inside the mask.

    Every download has an index, because a client may take part for the first time. The server knows
    the mask, so uploads have values only.
    """

    def __init__(self, settings: Any, layout: VectorLayout) -> None:
        super().__init__(settings, layout)
        self.examples = settings.examples

    @override
    def request(self, version: int) -> Request:
        due = self._mask is None and version >= self.settings.dense_rounds
        return _MEASURED.get(self.settings.score, "update") if due else "update"

    @override
    def on_new_version(self, params: Tensor, version: int) -> None:
        import torch

        s = self.settings
        if self._mask is not None or version < s.dense_rounds:
            return
        if s.score == "magnitude":
            self._mask = top_k(params, count(params.numel(), s.density))
        elif s.score == "random":
            drawn = rng.stream(self.layout.seed, "mask").random(params.numel())
            self._fix(torch.from_numpy(drawn).to(params.device))

    @override
    def on_measurement(self, params: Tensor, mean: Tensor) -> None:
        # `mean` is the mean gradient g, or the mean of each client's own H g.
        if self._mask is None:
            snip = self.settings.score == "snip"
            self._fix((mean * params).abs() if snip else mean * params)

    def _fix(self, scores: Tensor) -> None:
        """Keep exactly the k highest scores; ties go to the lowest index."""
        import torch

        k = count(scores.numel(), self.settings.density)
        kept = torch.argsort(scores, descending=True, stable=True)[:k]
        self._mask = torch.zeros(scores.numel(), dtype=torch.bool, device=scores.device)
        self._mask[kept] = True
