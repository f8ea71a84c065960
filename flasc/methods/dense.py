"""The dense methods: they differ only in what of the model they train."""

from flasc.methods.base import Method


class DenseLora(Method):
    """LoRA and the head, all of it both ways."""


class Full(Method):
    """Full fine-tuning: every weight."""

    scope = "all"


class Head(Method):
    """Linear probe: the head alone."""

    scope = "head"
