"""Writes a model card beside each model in the folder of a run."""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from emulator.common.files import replace, storage
from emulator.reports.model_card import TrainedModel, card
from emulator.results.metadata import RunMetadata
from emulator.results.metrics import Outcome, outcome
from emulator.results.summary_file import decode
from emulator.runner import run_source
from emulator.runner.events import TrainingResult
from emulator.runner.models import model_folders
from emulator.runner.recording.model_export import is_stamped
from emulator.scenario.study import TrainingJob


def write_cards(
    trainings: Sequence[TrainingJob],
    done: Mapping[int, TrainingResult],
    meta: RunMetadata,
    recordings: Path,
    folder: Path,
) -> None:
    """Write README.md for each model in `folder` that is one of the results.

    PEFT's own file has no facts and names the path of the base model on this machine. Raises
    StorageError.
    """
    names = model_folders(trainings)
    made = {i: r for i, r in done.items() if is_stamped(folder / names[i], r.stamp)}
    methods = {trainings[index].method for index in made}
    outcomes = [
        found
        for result in done.values()
        for found in _outcomes(result, meta)
        if found.method in methods
    ]
    for index, result in made.items():
        training, place = trainings[index], folder / names[index]
        model = _model(training, result, recordings, place)
        text = card(model, meta, _of(training, outcomes), version("flasc-emu"))
        with storage(place):
            replace(place / "README.md", text.encode())


def _outcomes(result: TrainingResult, meta: RunMetadata) -> Iterator[Outcome]:
    """The outcomes of a training; none of one with so many simulations that no rows were held."""
    for emulation, rows in result.emulations.items():
        yield outcome(emulation, rows, meta.goal)
    for found in result.summaries.values():
        yield decode(found.encoded).outcome


def _of(training: TrainingJob, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes of the training's method with all seeds, in the order of its variants."""
    return [
        each
        for label in training.variants
        for each in outcomes
        if (each.method, each.variant) == (training.method, label)
    ]


def _model(
    training: TrainingJob, result: TrainingResult, recordings: Path, folder: Path
) -> TrainedModel:
    adapter = _json(folder / "adapter_config.json")
    library = "peft" if adapter else "transformers" if (folder / "config.json").exists() else ""
    task = training.settings.task
    return TrainedModel(
        method=training.method,
        seed=training.seed,
        task=task.name,
        base=base_name(str(adapter.get("base_model_name_or_path") or task.model), task.model),
        library=library,
        adapter=str(adapter.get("peft_type") or "").lower(),
        recording=run_source.recording_id(training, recordings),
        state=result.stamp.decode().split()[0],
    )


def base_name(named: str, model: str) -> str:
    """The name of the base model for others: on the hub, or else as in the scenario.

    `named` is what PEFT calls it, `model` what the scenario does. Of a local folder, the last part.
    """
    hub_id = named if named.count("/") == 1 and not _is_local(named) else model
    return Path(hub_id).name if _is_local(hub_id) else hub_id


def _is_local(name: str) -> bool:
    return name.startswith((".", "/", "~")) or Path(name).is_absolute() or Path(name).exists()


def _json(path: Path) -> Mapping[str, Any]:
    """The object in a file; empty if there is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
