"""The LoRA layers of an encoder, and the encoder with LoRA merged into its weights."""

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from flasc.training.cohort.encoder import Block, Encoder, Projection, Site


def block_sites(encoder: Encoder) -> Iterator[Site]:
    """All LoRA layers of the encoder."""
    for block in encoder.blocks:
        yield from sites_of(block)


def sites_of(block: Block) -> Iterator[Site]:
    """The LoRA layers of one block."""
    for projection in block.projections:
        yield from projection.sites


def merged(encoder: Encoder, vector: Tensor) -> Encoder:
    """The encoder with LoRA added to its frozen weights (W + scaling B A), without sites."""

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

    return replace(encoder, blocks=tuple(block.projected(merge) for block in encoder.blocks))
