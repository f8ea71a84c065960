"""A frozen projection with LoRA for several clients, as one autograd function.

The tokens of all clients form one matrix [tokens, width], in one run per client. The frozen weight
multiplies all tokens in one product; each client's A and B multiply its run.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from flasc.models.dropout import masked
from flasc.training.cohort.lean_model import Projection, Site

Runs = Sequence[tuple[int, int]]  # [start, stop) of each client, consecutive


def _equal(runs: Runs) -> bool:
    return len({stop - start for start, stop in runs}) == 1


def times(x: Tensor, weights: Tensor, runs: Runs) -> Tensor:
    """Each client's run of `x` [tokens, k] times its matrix in `weights` [clients, k, m]."""
    if _equal(runs):
        clients, k, m = weights.shape
        return torch.bmm(x.reshape(clients, -1, k), weights).view(-1, m)
    return torch.cat([x[a:b] @ weight for (a, b), weight in zip(runs, weights, strict=True)])


def add_times(y: Tensor, x: Tensor, weights: Tensor, runs: Runs, alpha: float = 1.0) -> None:
    """Add `alpha` times that product to `y` [tokens, m], in one pass."""
    if _equal(runs):
        blocks = x.reshape(len(runs), -1, x.shape[1])
        y.view(len(runs), -1, y.shape[1]).baddbmm_(blocks, weights, alpha=alpha)
    else:
        for (a, b), weight in zip(runs, weights, strict=True):
            y[a:b].addmm_(x[a:b], weight, alpha=alpha)


def outer(x: Tensor, y: Tensor, runs: Runs) -> Tensor:
    """Each client's x^T y: [clients, k, m] from [tokens, k] and [tokens, m]."""
    if _equal(runs):
        return torch.bmm(
            x.reshape(len(runs), -1, x.shape[1]).transpose(1, 2),
            y.reshape(len(runs), -1, y.shape[1]),
        )
    return torch.stack([x[a:b].T @ y[a:b] for a, b in runs])


def project(
    x: Tensor,
    projection: Projection,
    adapters: Sequence[tuple[Tensor, Tensor, Tensor | None]],
    runs: Runs,
) -> Tensor:
    """`projection` of x [tokens, in] with LoRA: [tokens, out] in the dtype of x.

    `adapters` holds for each site A, float32 [clients, rank, in], B [clients, outputs of the site,
    rank], and the kept entries of x, int32 [tokens, in] (None without dropout).
    """
    if not adapters:
        return F.linear(x, projection.weight, projection.bias)
    flat = [tensor for adapter in adapters for tensor in adapter]
    # torch's `apply` is untyped.
    found: Tensor = _Lora.apply(x, projection, runs, *flat)  # type: ignore[no-untyped-call]
    return found


class _Lora(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, projection: Projection, runs: Runs, *flat: Any) -> Tensor:
        y = F.linear(x, projection.weight, projection.bias)
        inner = []
        for site, (a, b, kept) in zip(projection.sites, _threes(flat), strict=True):
            dropped = x if kept is None else masked(x, kept)
            inner.append(times(dropped, a.to(x.dtype).transpose(1, 2), runs))
            out = y[:, site.lo : site.hi]
            add_times(out, inner[-1], b.to(x.dtype).transpose(1, 2), runs, _scale(site))
        ctx.save_for_backward(x, *inner, *flat)
        ctx.projection, ctx.runs = projection, runs
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (gy,) = grads
        projection, runs = ctx.projection, ctx.runs
        count = len(projection.sites)
        x, *rest = ctx.saved_tensors
        gx = gy @ projection.weight if ctx.needs_input_grad[0] else None
        found: list[Tensor | None] = []
        for site, u, (a, b, kept) in zip(
            projection.sites, rest[:count], _threes(rest[count:]), strict=True
        ):
            out, scale = gy[:, site.lo : site.hi], _scale(site)
            gu = times(out, b.to(x.dtype) * scale, runs)
            dropped = x if kept is None else masked(x, kept)
            trained = ctx.needs_input_grad[3 + len(found)]  # A may be frozen
            ga = outer(gu, dropped, runs).to(a.dtype) if trained else None
            found += [ga, outer(out, u, runs).to(b.dtype) * scale, None]
            if gx is None:
                continue
            if kept is None:
                add_times(gx, gu, a.to(x.dtype), runs)
            else:
                gx += masked(times(gu, a.to(x.dtype), runs), kept)
        return gx, None, None, *found


def _scale(site: Site) -> float:
    return site.scaling / (1 - site.dropout)


def _threes(flat: Sequence[Any]) -> list[tuple[Tensor, Tensor, Tensor | None]]:
    return [(flat[i], flat[i + 1], flat[i + 2]) for i in range(0, len(flat), 3)]
