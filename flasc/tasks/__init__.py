"""Tasks by name: data, split and model. One small file each, one line here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flasc.common import plugins
from flasc.task_settings import TaskSettings
from flasc.tasks.base import Examples as Examples
from flasc.tasks.base import Task as Task
from flasc.tasks.cifar10 import cifar10_task
from flasc.tasks.fashion_mnist import fashion_mnist_task
from flasc.tasks.fashion_scenes import fashion_scenes_task
from flasc.tasks.flair import flair_task
from flasc.tasks.friends import friends_task
from flasc.tasks.reddit import reddit_task
from flasc.tasks.twenty_newsgroups import newsgroups_task

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


def load(
    settings: TaskSettings, seed: int, cache: Path | None, notify: Callable[[str], None]
) -> Task:
    """The task that `settings` describe, its clients dealt with `seed`.

    One of ours, or of another package.
    """
    found = TASKS.get(settings.name) or plugins.implementation(settings)
    task: Task = found(settings, seed, cache, notify)
    return task
