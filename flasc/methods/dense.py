"""Dense methods: they differ in which weights of the model they train."""

from __future__ import annotations

from typing import Literal

from typing_extensions import override

from flasc.methods.base import Method, MethodSettings, VectorLayout


class Dense(MethodSettings):
    """Every trained entry is sent in both directions."""

    @override
    def build(self, layout: VectorLayout) -> Method:
        return Method(self, layout)


class Full(Dense):
    """Full fine-tuning: every weight is trained and sent."""

    has_rank = False
    scope = "all"
    kind: Literal["full"]


class Head(Dense):
    """Linear probe: only the classifier is trained and sent."""

    has_rank = False
    scope = "head"
    kind: Literal["head"]


class DenseLora(Dense):
    """LoRA; every entry is sent in both directions (arXiv 2106.09685)."""

    kind: Literal["lora"]

    @property
    @override
    def densities(self) -> tuple[float, float] | None:
        return 1.0, 1.0


class FfaLora(Dense):
    """FFA-LoRA: A stays at its random start; B and head are trained and sent (arXiv 2403.12313).

    Server and clients draw the same A from the seed, so it is never sent.
    """

    scope = "adapter_b"
    kind: Literal["ffa_lora"]
