"""Metadata of a training, and the versions that it ran with."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from flasc.common import plugins
from flasc.common.messages import TrainingMetadata
from flasc.data.objective import SingleLabel
from flasc.models import pretrained
from flasc.models.adapter import Adapter
from flasc.models.identity import weights_of
from flasc.models.resolve import known_models
from flasc.tasks.base import Task

if TYPE_CHECKING:
    from flasc.training.trainer import Trainer


def describe(adapter: Adapter, vector: Tensor, task: Task) -> TrainingMetadata:
    """Metadata of a model at `vector`, float32 [n], and the data of a task.

    Torch counts the operations of the model's forward and backward pass over one example of full
    length, padding and LoRA included: those of a plain implementation, whatever the engine. A
    multiplication and an addition are two operations.
    """
    one = task.train.batch(np.zeros(1, np.int64), vector.device)
    adapter.write(vector)
    with FlopCounterMode(display=False) as counter:
        adapter.model(**one).loss.backward()
    for parameter in adapter.parameters:
        parameter.grad = None
    labels: tuple[tuple[int, ...], ...] = ()
    if isinstance(task.objective, SingleLabel):
        held = (task.train.labels[client] for client in task.clients)
        counts = (np.bincount(mine, minlength=len(task.classes)) for mine in held)
        labels = tuple(tuple(count.tolist()) for count in counts)
    sizes = tuple(map(len, task.clients))
    return TrainingMetadata(sizes, float(counter.get_total_flops()), labels)


def provenance(trainer: "Trainer") -> dict[str, str]:
    """Device, versions and data edition of a training."""
    import peft
    import transformers

    device, settings = trainer.device, trainer.settings
    brought = (plugins.origin(type(each)) for each in (settings.task, settings.method))
    model = settings.task.model
    weights = "" if model in known_models() else weights_of(trainer.task.model)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "device": name,
        "engine": trainer.engine.name,
        "precision": trainer.engine.precision,
        **({"evaluated in": scored} if (scored := settings.evaluation_precision) else {}),
        "data": trainer.task.edition,
        "metric": trainer.task.objective.metric,
        "model": pretrained.identity(trainer.task.model) or model,
        **({"weights": weights} if weights else {}),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "peft": peft.__version__,
        "numpy": np.__version__,
        **dict(filter(None, brought)),  # packages of plug-ins
    }
