"""Which engine trains, and the pieces that its work comes in."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from flasc.common.errors import ModelError
from flasc.data.objective import Objective
from flasc.models.adapter import Adapter
from flasc.training import client, cohort
from flasc.training.settings import TrainingSettings

Engine = client.Reference | cohort.Cohort


@dataclass(frozen=True)
class Part:
    """A batch of an evaluation: int64 `indices` into a split, scored by `vector` (float32 [n])."""

    vector: Tensor
    split: str
    indices: np.ndarray


def build(
    adapter: Adapter, settings: TrainingSettings, device: torch.device, objective: Objective
) -> Engine:
    """The engine asked for; the reference where the cohort's forward pass does not know the model.

    Raises ModelError where the reference would have to be as precise as asked for and cannot.
    """
    precision = settings.precision
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" else "fp32"
    if settings.engine == "cohort" and cohort.supported(adapter, settings.client):
        return cohort.Cohort(adapter, settings.client, precision, objective=objective)
    if settings.precision not in ("auto", "fp32"):
        raise ModelError(
            f"found precision {settings.precision}: the reference engine trains in fp32 only",
            "the cohort engine trains LoRA and heads of BERT, GPT-2 and ViT, without base dropout",
        )
    return client.Reference(adapter, settings.client, objective)


def pick_device(name: str) -> torch.device:
    """'auto' takes a GPU where there is one. Raises ModelError where 'cuda' is not to be had."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ModelError("found no GPU that this torch can use", "give --device cpu or auto")
    return torch.device(name)
