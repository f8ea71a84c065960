"""The heads of a transformers model: what is trained in full beside LoRA."""

from typing import Any

from torch import nn

_NAMES = ("classifier", "score")  # of a model whose pretrained body has no known name


def is_causal(model: nn.Module) -> bool:
    """Whether it is a language model, whose output layer stays frozen."""
    output = getattr(model, "get_output_embeddings", lambda: None)
    return output() is not None


def heads(model: nn.Module) -> list[str]:
    """Paths of the modules with weights that belong to the task and not to the pretrained body.

    An architecture has one or several: `classifier`; `pre_classifier` and `classifier` of
    DistilBERT; `pooler` and `classifier` of DeBERTa; `head` and `classifier` of ModernBERT. The
    pooler of a body is one of them if `flasc.models.pretrained` had to initialise it anew.
    """
    if is_causal(model):
        return []
    named: Any = model.named_children()
    children = [name for name, child in named if any(True for _ in child.parameters())]
    body = getattr(model, "base_model_prefix", "")
    outside = [name for name in children if (name != body if body in children else name in _NAMES)]
    fresh: tuple[str, ...] = getattr(model, "fresh_poolers", ())
    return outside + [name for name in fresh if not within(name, outside)]


def within(name: str, modules: list[str]) -> bool:
    """Whether `name` is one of the `modules`, or a parameter or module inside of one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)
