"""Score the saved models of a run with transformers and PEFT alone, and compare with its ledger.

    python examples/adapters.py runs/slow_upload

For text classification. Prints one line per model: accuracy and loss by PEFT, and by the run.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel
from torch import nn
from transformers import AutoModelForSequenceClassification
from transformers.utils import logging

from emulator.results.ledger import Ledger
from emulator.results.metrics import evaluations
from emulator.runner import inputs
from emulator.runner.models import model_folders
from emulator.simulation.records import Emulation, Evaluation
from flasc.tasks.base import Task
from flasc.training.shared_models import SharedModels


def load(folder: Path, task: Task) -> nn.Module:
    """The model in `folder`: an adapter on the task's pretrained model, or a whole model."""
    classify = AutoModelForSequenceClassification
    if not (folder / "adapter_config.json").exists():
        return classify.from_pretrained(folder).eval()
    base = classify.from_pretrained(task.model, num_labels=len(task.classes))
    return PeftModel.from_pretrained(base, folder).eval()


def score(model: nn.Module, task: Task, count: int) -> tuple[float, float]:
    """Accuracy and mean loss on the first `count` examples of validation."""
    right, loss = 0.0, 0.0
    for part in np.array_split(np.arange(count), -(-count // 100)):
        batch = task.validation.batch(part, torch.device("cpu"))
        with torch.inference_mode():
            found = model(**batch)
        right += float((found.logits.argmax(-1) == batch["labels"]).sum())
        loss += float(found.loss) * len(part)
    return right / count, loss / count


def scores(run: Path) -> Iterator[tuple[str, tuple[float, float], Evaluation]]:
    """Each saved model: the name of its folder, (accuracy, loss) by PEFT, and the ledger's row."""
    found = inputs.read(run)
    trainings, shared = found.trainings(), SharedModels()
    with Ledger.open(run / "ledger.sqlite") as ledger:
        for training, name in zip(trainings, model_folders(trainings), strict=True):
            folder = run / "models" / name
            if not folder.exists():
                continue
            last = Emulation(training.method, list(training.variants)[-1], training.seed)
            said = evaluations(ledger.rows(last))[-1]
            task = shared.task(training.settings.task, training.seed, None, lambda _: None)
            yield name, score(load(folder, task), task, said.examples), said


if __name__ == "__main__":
    logging.set_verbosity_error()  # it reports the new head of every base model
    logging.disable_progress_bar()
    for name, (accuracy, loss), said in scores(Path(sys.argv[1])):
        print(
            f"{name:<40} PEFT {accuracy:.4f} (loss {loss:.5f})  "
            f"ledger {said.accuracy:.4f} (loss {said.loss:.5f})"
        )
