"""What a trainer needs of a task: examples by split, clients, a model to adapt."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flasc.data.examples import Examples
from flasc.data.objective import Objective, SingleLabel
from flasc.models.settings import Head


@dataclass(frozen=True)
class Task:
    """Data dealt to clients, and where the pretrained model lies.

    `clients[i]` are the int64 indices into `train` that client i holds. `edition` says exactly
    which data a result was measured on. `classes` is empty where the head is `causal`.
    """

    edition: str
    train: Examples
    validation: Examples
    test: Examples
    clients: Sequence[NDArray[np.int64]]
    classes: Sequence[str]
    model: Path
    head: Head = "text"
    objective: Objective = field(default_factory=SingleLabel)
