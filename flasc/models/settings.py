"""Settings of the LoRA adapter, and which part of a model is trained."""

from typing import Annotated, Literal

from pydantic import (
    Field,
)

from flasc.common.settings import Momentum, PositiveFloat, PositiveInt, Settings, Targets, newer

# What stands on top of the pretrained model: a fresh classifier of texts or of images, which is
# trained in full, or the language model's own output, tied to its embeddings and frozen.
Head = Literal["text", "image", "causal"]
Scope = Literal["adapter", "adapter_b", "head", "all"]  # see `flasc.models.adapter.Adapter`


class Lora(Settings):
    """LoRA as PEFT builds it. `alpha` stays when the rank changes: the scale is alpha / rank.

    `upper_layers` puts it on that many layers below the head only; None: on all.
    """

    rank: Annotated[int, Field(ge=1, le=1024)] = 16
    alpha: PositiveFloat = 16.0
    dropout: Momentum = 0.1
    targets: Targets | None = None  # None: the paper's for this architecture
    upper_layers: PositiveInt | None = newer(None)
