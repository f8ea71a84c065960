"""The LoRA layers of a model, and the model with LoRA merged into its weights."""

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from flasc.training.cohort.lean_model import Block, LeanModel, Projection, Site


def block_sites(model: LeanModel) -> Iterator[Site]:
    """All LoRA layers of the model."""
    for block in model.blocks:
        yield from sites_of(block)


def sites_of(block: Block) -> Iterator[Site]:
    """The LoRA layers of one block."""
    for projection in block.projections:
        yield from projection.sites


def merged(model: LeanModel, vector: Tensor) -> LeanModel:
    """The model with LoRA added to its frozen weights (W + scaling B A), without sites."""

    def merge(projection: Projection) -> Projection:
        if not projection.sites:
            return projection
        weight = projection.weight.float()
        weight = weight.clone() if weight is projection.weight else weight
        for site in projection.sites:
            a = site.a
            if not isinstance(a, Tensor):
                a = vector[a.start : a.stop].view(site.rank, -1)
            b = vector[site.b.start : site.b.stop].view(-1, site.rank)
            weight[site.lo : site.hi].addmm_(b, a, alpha=site.scaling)
        return replace(projection, weight=weight.to(projection.weight.dtype), sites=())

    return replace(model, blocks=tuple(block.projected(merge) for block in model.blocks))
