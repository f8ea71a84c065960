"""Settings of the LoRA adapter, and which part of a model is trained."""

from typing import Annotated, Literal

from pydantic import Field

from flasc.common.settings import Momentum, PositiveFloat, PositiveInt, Settings, Targets, newer

# The head of the pretrained model: a new classifier of texts or images, which is trained fully, or
# the output layer of a language model, which is tied to its embeddings and frozen.
Head = Literal["text", "image", "causal"]

# The architectures of the cohort engine.
COHORT = (
    "bert", "gemma", "gpt2", "llama", "mistral", "phi3", "qwen2", "qwen3", "smollm3", "vit",
)  # fmt: skip

Scope = Literal["adapter", "adapter_b", "head", "all"]  # see `flasc.models.adapter.Adapter`


class Lora(Settings):
    """LoRA as PEFT builds it, scaled by alpha / rank.

    `upper_layers` is the number of layers below the head that have LoRA; None means all.
    """

    rank: Annotated[int, Field(ge=1, le=1024)] = 16
    """LoRA rank r"""
    alpha: PositiveFloat = 16.0
    """LoRA's output is scaled by alpha / rank"""
    dropout: Momentum = 0.1
    """dropout on LoRA's input during training"""
    targets: Targets | None = None  # None: see `flasc.models.lora_targets`
    """modules that LoRA wraps; none: the known modules of the architecture"""
    upper_layers: PositiveInt | None = newer(None)
    """number of upper layers with LoRA; none: all layers. The layers below never change and are
    [computed once](../background/training_engines.md#lora-on-upper-layers)"""
