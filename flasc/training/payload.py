"""Encodes the entries of a vector inside a mask as bytes, and decodes them."""

import numpy as np
import torch
from torch import Tensor

from flasc import codec
from flasc.common import rng
from flasc.common.settings import Way, Wire
from flasc.methods.base import Mask


class PayloadCodec:
    """Messages of one training's vectors, float32 [n] on `device`, in the format of `wire`."""

    def __init__(self, wire: Wire, n: int, seed: int, device: torch.device) -> None:
        self.wire, self.n, self.seed, self.device = wire, n, seed, device

    def encode(self, vector: Tensor, mask: Mask, form: str, way: Way, *counters: int) -> bytes:
        """The entries of `vector` inside `mask`, in the index format `form`.

        `counters` (version, and tier or client) name the draws of stochastic rounding.
        """
        dtype, rounding = self.wire.way(way)
        stream = None
        if rounding == "stochastic":
            stream = rng.stream(self.seed, f"rounding/{way}", *counters)
        flat = vector.cpu().numpy()
        indices = None if mask is None else np.flatnonzero(mask.cpu().numpy())
        values = flat if indices is None else flat[indices]
        return codec.encode(values, indices, self.n, wire=form, dtype=dtype, stream=stream)

    def decode(self, content: bytes, known: Mask = None) -> tuple[Tensor, Mask]:
        """The dense vector (zero where nothing was sent) and the support that was sent.

        `known` is the support of a message without indices.
        """
        support = None if known is None else np.flatnonzero(known.cpu().numpy())
        decoded = codec.decode(content, n=self.n, support=support)
        vector = torch.from_numpy(decoded.to_dense()).to(self.device)
        if decoded.indices is None:
            return vector, None
        mask = torch.zeros(self.n, dtype=torch.bool)
        mask[torch.from_numpy(decoded.indices)] = True
        return vector, mask.to(self.device)

    def value_bytes(self, mask: Mask, way: Way) -> int:
        """Bytes of the values alone: what the paper counts."""
        k = self.n if mask is None else int(mask.sum())
        return codec.value_bytes(k, self.wire.way(way)[0])
