"""Copies exported models into the run folder."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from emulator.common.files import distinct, replace, slug, storage
from emulator.runner.events import TrainingResult
from emulator.runner.recording.model_export import is_stamped, remove_model
from emulator.scenario.study import TrainingJob


def model_folders(trainings: Sequence[TrainingJob]) -> list[str]:
    """One folder name per training; equal names get a number."""
    return distinct(f"{slug(each.method)}-seed-{each.seed}" for each in trainings)


def copy_models(
    trainings: Sequence[TrainingJob], done: dict[int, TrainingResult], folder: Path
) -> None:
    """Make `folder` hold the models of the results that still exist, and no others.

    A recording keeps its newest model alone, and another run may replace it at any time.
    """
    names = model_folders(trainings)
    results = {names[index]: result for index, result in done.items()}
    with storage(folder):
        for stamped in folder.glob("*/state.txt"):
            result = results.get(stamped.parent.name)
            if result is None or not is_stamped(stamped.parent, result.stamp):
                remove_model(stamped.parent)
        for name, result in results.items():
            if result.model and not is_stamped(folder / name, result.stamp):
                _copy_model(result.model, folder / name, result.stamp)


def _copy_model(model: Path, target: Path, stamp: bytes) -> None:
    """Copy `model` if it has this stamp before and after; else another run is replacing it."""
    if not is_stamped(model, stamp):
        return
    remove_model(target)
    try:
        shutil.copytree(model, target, ignore=shutil.ignore_patterns("state.txt"))
    except OSError:
        if is_stamped(model, stamp):
            raise
    if is_stamped(model, stamp):
        replace(target / "state.txt", stamp)
    else:
        remove_model(target)
