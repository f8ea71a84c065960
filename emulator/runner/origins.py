"""Where each simulation of a run comes from: the settings of its variant, and its recording."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.reports.export.tracked_run import Origin
from emulator.runner import inputs, run_source
from emulator.scenario.logged import LoggedMethod
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import Study, TrainingJob, flattened
from emulator.simulation.records import Emulation


def origins(folder: Path) -> dict[Emulation, Origin]:
    """The origin of each simulation of the run in `folder`.

    Raises UserError, for example if a file is missing that its scenario names.
    """
    study = inputs.read(folder)
    settings = {label: flattened(study, label) for label in study.variants}
    return {
        each: Origin(
            _of_method(settings[each.variant], variant, training.method), recording(study, training)
        )
        for training in study.trainings()
        for each, variant in training.simulations()
    }


def recording(study: Study, training: TrainingJob, store: Path | None = None) -> str:
    """The id of a training's recording in `store` (default: that of the run), or of its log."""
    method = study.scenario.methods[training.method]
    if isinstance(method, LoggedMethod):
        return method.digest(training.seed)
    return run_source.recording_id(training, store or study.recordings or run_source.DEFAULT)


def _of_method(data: Mapping[str, Any], variant: Scenario, name: str) -> dict[str, Any]:
    """The settings of a variant with those of one method as `method`."""
    rest = {key: value for key, value in data.items() if key not in ("name", "methods")}
    return {"method": variant.methods[name].model_dump(mode="json", exclude_unset=True), **rest}
