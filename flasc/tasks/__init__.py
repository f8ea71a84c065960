"""Tasks by name: data, split and model. One small file each, one line here."""

from collections.abc import Callable
from pathlib import Path

from flasc.config import Task as Settings
from flasc.tasks.base import Task
from flasc.tasks.text_classification import newsgroups_task

TASKS: dict[str, Callable[[Settings, int, Path | None, Callable[[str], None]], Task]] = {
    "20newsgroups": newsgroups_task,
}


def load(settings: Settings, seed: int, cache: Path | None, notify: Callable[[str], None]) -> Task:
    """The task that `settings` describe, its clients dealt with `seed`."""
    return TASKS[settings.name](settings, seed, cache, notify)
