"""Chooses the training engine and the device."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from flasc.common.errors import ModelError
from flasc.data.examples import Examples
from flasc.models.adapter import Adapter
from flasc.models.settings import COHORT
from flasc.tasks.base import Task
from flasc.training import client, cohort
from flasc.training.settings import Precision, TrainingSettings

Engine = client.Reference | cohort.Cohort


@dataclass(frozen=True)
class Part:
    """An evaluation batch: int64 `indices` into a split, scored with `vector` (float32 [n])."""

    vector: Tensor
    split: str
    indices: np.ndarray


def build(
    adapter: Adapter,
    settings: TrainingSettings,
    device: torch.device,
    task: Task,
    precision: Precision,
) -> Engine:
    """An engine of `precision`; the reference engine if the cohort engine lacks the model.

    Raises ModelError if the reference engine would be used and does not support the precision.
    """
    asked = precision
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" else "fp32"
    client_settings, objective = settings.client, task.objective
    if settings.engine == "cohort" and cohort.supported(
        adapter, client_settings, objective, _tokens(task.train)
    ):
        return cohort.Cohort(adapter, client_settings, precision, objective=objective)
    if asked not in ("auto", "fp32"):
        raise ModelError(
            f"found precision {asked}: the reference engine trains in fp32 only",
            "the cohort engine trains LoRA and heads, without base dropout, of models of the types "
            + ", ".join(COHORT),
        )
    return client.Reference(adapter, client_settings, objective)


def _tokens(data: Examples) -> int | None:
    """The length of the padded texts; None for images."""
    ids = data.features.get("input_ids")
    return None if ids is None else int(ids[:0].shape[1])


def pick_device(name: str) -> torch.device:
    """The device; 'auto' is a GPU if there is one. Raises ModelError if 'cuda' is not available."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ModelError("found no GPU that this torch can use", "give --device cpu or auto")
    return torch.device(name)
