"""Lines of a television series by speaker: a substitute for Reddit that needs no network.

The users are 846 of the 852 speakers (see `flasc.data.friends`).
"""

from pathlib import Path
from typing import Literal

from typing_extensions import override

from flasc.assets.catalogue import locate
from flasc.assets.packages import Notify
from flasc.data.friends import EDITION, load
from flasc.tasks import language_model
from flasc.tasks.base import Task
from flasc.tasks.settings import LanguageSettings, Model, Tokens, UserSplit


class Friends(LanguageSettings):
    """Lines of a television series, substitute for Reddit: the next token; speakers as clients."""

    name: Literal["friends"]
    model: Model = "friends-gpt2"
    tokens: Tokens = 32
    """length to which texts are cut and padded"""
    split: UserSplit = UserSplit()
    """how training examples are distributed to clients"""

    @property
    @override
    def most_clients(self) -> int | None:
        return 676

    @override
    def load(self, seed: int, cache: Path | None, notify: Notify) -> Task:
        _, others = load(locate("friends", cache=cache, notify=notify))
        return language_model.task(others, EDITION, self, seed, cache, notify)
