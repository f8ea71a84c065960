"""What people wrote, as a causal language model's task: each person is a client."""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from flasc.assets.packages import Notify
from flasc.common import rng
from flasc.common.errors import AssetError
from flasc.data import tokens as text
from flasc.data.examples import Examples
from flasc.data.lines import Lines, examples, split_users
from flasc.data.objective import NextToken
from flasc.data.partition import natural
from flasc.models.resolve import resolve_model
from flasc.tasks.base import Task
from flasc.tasks.settings import UserSplit


class LanguageModelSettings(Protocol):
    """What Reddit and Friends have in common."""

    @property
    def model(self) -> str:
        """Name, folder or hub id."""

    @property
    def tokens(self) -> int:
        """Length to which a text is cut."""

    @property
    def clients(self) -> int:
        """Number of clients."""

    @property
    def split(self) -> UserSplit:
        """How users become clients."""


def task(
    lines: Lines,
    edition: str,
    settings: LanguageModelSettings,
    seed: int,
    cache: Path | None,
    notify: Notify,
) -> Task:
    """The task of `lines`; `seed` decides which users are the clients.

    Users are split before anything else: who validates or tests is nobody's client. A text of one
    token asks for no next one and is left out. Raises AssetError where there are fewer than ten
    users.
    """
    if len(set(lines.users)) < 10:
        raise AssetError(f"{edition}: found {len(set(lines.users))} users; allowed: 10 or more")
    model = resolve_model(settings.model, cache=cache, notify=notify)

    def part(of: set[str]) -> tuple[Examples, npt.NDArray[np.int64]]:
        """In random order, so that the first k are a fair sample; and whose each is."""
        mine = lines.of(of)
        tokens = text.encode(mine.texts, model, settings.tokens, cache, notify)
        rows = rng.stream(0, "lines").permutation(np.flatnonzero(tokens.attention_mask[:, 1]))
        owners = np.unique(mine.users, return_inverse=True)[1]
        return examples(tokens.take(rows)), owners[rows]

    train, validation, test = (part(users) for users in split_users(lines.users))
    stream = rng.stream(seed, "partition")
    return Task(
        edition=edition,
        train=train[0],
        validation=validation[0],
        test=test[0],
        clients=natural(train[1], settings.clients, settings.split.pooled, stream),
        classes=(),
        model=model,
        head="causal",
        objective=NextToken(),
    )
