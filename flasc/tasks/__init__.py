"""Tasks: data, partition and pretrained model. One file per task, one line here.

Packages add tasks in the entry point group `flasc_emu.tasks`.
"""

from flasc.tasks.cifar10 import Cifar10
from flasc.tasks.fashion_mnist import FashionMnist
from flasc.tasks.fashion_scenes import FashionScenes
from flasc.tasks.flair import Flair
from flasc.tasks.friends import Friends
from flasc.tasks.instructions import Instructions
from flasc.tasks.reddit import Reddit
from flasc.tasks.settings import TaskSettings as TaskSettings
from flasc.tasks.text_file import TextFile
from flasc.tasks.twenty_newsgroups import Newsgroups

TASKS: list[type[TaskSettings]] = [
    Newsgroups,
    Cifar10,
    Flair,
    Reddit,
    FashionMnist,
    FashionScenes,
    Friends,
    TextFile,
    Instructions,
]
