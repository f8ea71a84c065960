"""The trained parameters of a PEFT model as one flat vector with named spans."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector
from transformers.pytorch_utils import Conv1D

from flasc.common.errors import ModelError
from flasc.models.dropout import PlaceDropout, Rows
from flasc.models.heads import heads, is_causal, within
from flasc.models.lora_targets import known_architectures, lora_targets
from flasc.models.settings import Lora, Scope

Part = Literal["lora_A", "lora_B", "head", "base"]


@dataclass(frozen=True, slots=True)
class Span:
    """Entries [start, stop) of the flat vector: one parameter of the model."""

    name: str
    start: int
    stop: int
    part: Part


def _part(name: str, heads: list[str]) -> Part:
    if ".lora_A." in name:
        return "lora_A"
    if ".lora_B." in name:
        return "lora_B"
    return "head" if within(name.removeprefix("base_model.model."), heads) else "base"


def _targets(model: nn.Module, lora: Lora) -> list[str]:
    """Names of the modules that LoRA wraps. Raises ModelError if a target matches no module."""
    config: Any = model.config
    architecture = str(config.model_type)
    targets = lora.targets or lora_targets(architecture)
    if not targets:
        raise ModelError(
            f"no LoRA targets are known for a model of type {architecture!r}",
            "name them in training.lora.targets; known types: " + ", ".join(known_architectures()),
        )
    modules = [name.rsplit(".", 1)[-1] for name, _ in model.named_modules()]
    for target in targets:
        if target.rsplit(".", 1)[-1] not in modules:
            leaves = sorted({n.rsplit(".", 1)[-1] for n, m in model.named_modules()
                             if isinstance(m, nn.Linear)})  # fmt: skip
            raise ModelError(
                f"LoRA target {target!r} matches no module of this {architecture} model",
                "its linear modules are: " + ", ".join(leaves),
            )
    return targets


def _layers(model: nn.Module, lora: Lora) -> list[int] | None:
    """Indices of the layers that get LoRA; None means all. Raises ModelError if there are too few.

    Refuses a target that is the full name of one module: PEFT would then ignore the layers.
    """
    if lora.upper_layers is None:
        return None
    whole = {name for name, _ in model.named_modules()} & set(lora.targets or [])
    if whole:
        raise ModelError(
            f"found training.lora.upper_layers with the target {min(whole)!r}, one layer's module",
            "give the ends of names as targets, like 'query', or leave upper_layers out",
        )
    config: Any = model.config
    count = int(config.num_hidden_layers)
    if lora.upper_layers > count:
        raise ModelError(
            f"found training.lora.upper_layers {lora.upper_layers}; this model has {count} layers"
        )
    return list(range(count - lora.upper_layers, count))


class Adapter:
    """The trained parameters of a model as one float32 vector of length `n`.

    `scope` is `adapter` (LoRA and the head), `adapter_b` (the same with A frozen at its random
    start), `head` (the head alone; LoRA is present but disabled), or `all` (every weight; no LoRA).
    Entries are in the order of `parameters`, so equal models give equal vectors.

    Raises ModelError if the LoRA targets match nothing, or the model has no head or fewer layers
    than `upper_layers`.
    """

    def __init__(self, base: nn.Module, lora: Lora, scope: Scope) -> None:
        self.scope, self.heads = scope, heads(base)
        self.model: nn.Module = base if scope == "all" else _with_lora(base, lora, self.heads)
        if scope == "head":
            for layer in self.lora_layers():
                layer.enable_adapters(False)  # B is zero: the output is the same, with less work
        if scope == "adapter_b":
            for layer in self.lora_layers():
                layer.lora_A.requires_grad_(False)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.spans = list(_spans(self.model, self.heads))
        if not self.heads and (scope == "head" or (scope == "adapter" and not is_causal(base))):
            frozen = "the head of a language model is frozen: choose a method that trains LoRA"
            raise ModelError(
                "the model has no head to train",
                frozen if is_causal(base) else "choose a model that transformers can classify with",
            )
        self.n = self.spans[-1].stop
        self.rows = Rows()
        for site, layer in enumerate(self.lora_layers()):
            for name, dropout in layer.lora_dropout.items():
                if isinstance(dropout, nn.Dropout):
                    layer.lora_dropout[name] = PlaceDropout(dropout.p, site, self.rows)
        self.model.eval()

    def lora_layers(self) -> Iterator[LoraLayer]:
        """The modules that LoRA wraps, in the order of the model."""
        return (module for module in self.model.modules() if isinstance(module, LoraLayer))

    def views(self, vector: Tensor) -> list[Tensor]:
        """Views of a float32 [n] vector in the shapes of `parameters`."""
        pairs = zip(self.spans, self.parameters, strict=True)
        return [vector[span.start : span.stop].view_as(p) for span, p in pairs]

    def read(self) -> Tensor:
        """A copy of the trained entries: float32 [n]."""
        return parameters_to_vector(self.parameters).detach()

    def write(self, vector: Tensor) -> None:
        """Set the trained entries from a float32 [n] vector (copied)."""
        with torch.no_grad():
            for parameter, values in zip(self.parameters, self.views(vector), strict=True):
                parameter.copy_(values)

    @contextmanager
    def training(self, *, base_dropout: bool) -> Iterator[None]:
        """Enables LoRA's dropout, and the base model's with `base_dropout`, inside the block.

        FLASC's reference code keeps the base model in evaluation mode; only LoRA has dropout.
        """
        self.model.train(base_dropout)
        for layer in self.lora_layers():
            layer.lora_dropout.train()
        try:
            yield
        finally:
            self.model.eval()

    def save(self, folder: Path) -> None:
        """Write a PEFT adapter (for `all`, the whole model) that `from_pretrained` loads."""
        with warnings.catch_warnings():
            # PEFT warns that it cannot get a vocabulary from the hub.
            warnings.simplefilter("ignore")
            model: Any = self.model
            model.save_pretrained(str(folder), safe_serialization=True)


def _task_type(base: nn.Module, heads: list[str]) -> TaskType | None:
    """PEFT's task type; None for image classifiers, which PEFT has no type for."""
    if is_causal(base):
        return TaskType.CAUSAL_LM
    config: Any = base.config
    return TaskType.SEQ_CLS if heads and not hasattr(config, "image_size") else None


def _with_lora(base: nn.Module, lora: Lora, heads: list[str]) -> PeftModel:
    config = LoraConfig(
        task_type=_task_type(base, heads),
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        bias="none",
        target_modules=_targets(base, lora),
        layers_to_transform=_layers(base, lora),
        modules_to_save=[*heads] or None,  # a copy: PEFT adds names to it
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in base.modules()),  # GPT-2
    )
    with warnings.catch_warnings():
        # PEFT 0.21 reads an attribute that transformers 5.23 has renamed.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        try:
            return get_peft_model(base, config)
        except ValueError as error:  # such as layers that share one module (ALBERT)
            raise ModelError(
                f"PEFT cannot add LoRA: {error}",
                "change training.lora.targets, or leave training.lora.upper_layers out",
            ) from error


def _spans(model: nn.Module, heads: list[str]) -> Iterator[Span]:
    start = 0
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            yield Span(name, start, start + parameter.numel(), _part(name, heads))
            start += parameter.numel()
