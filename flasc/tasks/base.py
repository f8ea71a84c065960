"""What a training needs of a task: examples by split, clients, and a pretrained model."""

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
    """Data distributed to clients, and the folder of the pretrained model.

    `clients[i]` are the int64 indices into `train` of client i. `edition` identifies the data
    exactly. `classes` is empty for a `causal` head.
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
