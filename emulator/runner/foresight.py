"""What a training would refuse, as far as that is known before anything is loaded. Torch-free."""

from pathlib import Path

from emulator.common.errors import ScenarioError
from emulator.runner.estimates import is_whole
from emulator.scenario.study import Study
from emulator.scenario.yaml_nodes import printable, shown
from flasc.common import plugins
from flasc.training.settings import Task


def require_trainable(study: Study, recordings: Path) -> None:
    """Raises ScenarioError for what has yet to be trained and cannot be.

    What is recorded to its end takes no data; nor does a packed recording, which trains nothing.
    """
    if study.packed is not None:
        return
    for training in study.trainings():
        found = _refused(training.settings.task)
        if found and not is_whole(training, recordings):
            key, said = found
            where = study.document.where(("task", key))
            raise ScenarioError(
                f"{where}: task.{key}: {said}", "mend the scenario, then try flasc-emu check"
            )


def _refused(task: Task) -> tuple[str, str] | None:
    """The key of a task that its data or its model does not bear, and what is said of it."""
    most = task.most_clients
    if most is not None and task.clients > most:
        return "clients", (
            f"found {task.clients}; allowed: at most {most} of {task.name}, whose data are "
            "shared out among them"
        )
    ours = plugins.origin(type(task)) is None  # another package's may find its model elsewhere
    if ours and (found := task.missing_model()):
        return "model", (
            f"found {shown(task.model)}, {printable(found)}; allowed: a folder with config.json, "
            "from where this command is run, or a name: see flasc-emu list models"
        )
    return None
