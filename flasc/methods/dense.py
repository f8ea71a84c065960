"""The dense methods: they differ only in what of the model they train."""

from flasc.methods.base import Method


class DenseLora(Method):
    """LoRA and the head, all of it both ways."""


class FfaLora(Method):
    """FFA-LoRA (Sun et al., arXiv 2403.12313): A is frozen at its random start.

    Both ends draw the same A from the seed, so it is never sent.
    """

    scope = "adapter_b"


class Full(Method):
    """Full fine-tuning: every weight."""

    scope = "all"


class Head(Method):
    """Linear probe: the head alone."""

    scope = "head"
