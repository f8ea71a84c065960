"""What holds of a training whatever is done with it: who holds how much, what an example takes."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from flasc.adapter import Adapter
from flasc.tasks.base import Task


@dataclass(frozen=True, slots=True)
class About:
    """Examples by client, and the operations that training on one takes, forward and backward."""

    examples: tuple[int, ...]
    flop_per_example: float


def describe(adapter: Adapter, vector: Tensor, task: Task) -> About:
    """Of a model at `vector`, float32 [n], on a task's data.

    Operations are counted by torch on the model's own forward and backward pass over one example
    at full length, padding and LoRA included: what a plain implementation does on a device,
    whichever engine trains here. A multiplication and an addition are two.
    """
    one = task.train.batch(np.zeros(1, np.int64), vector.device)
    adapter.write(vector)
    with FlopCounterMode(display=False) as counter:
        adapter.model(**one).loss.backward()
    for parameter in adapter.parameters:
        parameter.grad = None
    return About(tuple(map(len, task.clients)), float(counter.get_total_flops()))
