"""Tasks by name: data, split and model. One small file each, one line here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flasc.task_settings import Task as Settings
from flasc.tasks.base import Task
from flasc.tasks.cifar10 import cifar10_task
from flasc.tasks.fashion import fashion_mnist_task
from flasc.tasks.flair import flair_task
from flasc.tasks.friends import friends_task
from flasc.tasks.reddit import reddit_task
from flasc.tasks.scenes import fashion_scenes_task
from flasc.tasks.text_classification import newsgroups_task

# Each takes its own settings, whatever the others' are.
TASKS: dict[str, Callable[[Any, int, Path | None, Callable[[str], None]], Task]] = {
    "20newsgroups": newsgroups_task,
    "cifar10": cifar10_task,
    "flair": flair_task,
    "reddit": reddit_task,
    "fashion_mnist": fashion_mnist_task,
    "fashion_scenes": fashion_scenes_task,
    "friends": friends_task,
}


def load(settings: Settings, seed: int, cache: Path | None, notify: Callable[[str], None]) -> Task:
    """The task that `settings` describe, its clients dealt with `seed`."""
    return TASKS[settings.name](settings, seed, cache, notify)
