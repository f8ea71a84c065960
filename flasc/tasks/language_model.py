"""What people wrote, as a causal language model's task: each person is a client."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from flasc.assets.catalogue import resolve_model
from flasc.assets.packages import Notify
from flasc.common import rng
from flasc.common.errors import AssetError
from flasc.data import tokens as text
from flasc.data.objective import IGNORED, NextToken
from flasc.data.partition import natural
from flasc.task_settings import Friends, Reddit
from flasc.tasks.base import Examples, Task

HELD_OUT = 0.1  # share of the users who validate, and of those who test


@dataclass(frozen=True, slots=True)
class Lines:
    """`texts[i]` was written by `users[i]`."""

    users: Sequence[str]
    texts: Sequence[str]

    def of(self, chosen: set[str]) -> "Lines":
        """What the `chosen` wrote, in the same order."""
        rows = [i for i, user in enumerate(self.users) if user in chosen]
        return Lines([self.users[i] for i in rows], [self.texts[i] for i in rows])


def split_users(users: Sequence[str]) -> tuple[set[str], set[str], set[str]]:
    """Who trains, who validates, who tests: disjoint, and the same for every training seed."""
    everybody = sorted(set(users))
    order = rng.stream(0, "users").permutation(len(everybody))
    held = max(1, round(len(everybody) * HELD_OUT))
    names = [everybody[i] for i in order]
    return set(names[2 * held :]), set(names[:held]), set(names[held : 2 * held])


def examples(tokens: text.Tokens) -> Examples:
    """Texts with themselves as labels; padding is IGNORED."""
    labels = np.where(tokens.attention_mask, tokens.input_ids, IGNORED).astype(np.int64)
    features = {"input_ids": tokens.input_ids, "attention_mask": tokens.attention_mask}
    return Examples(features, labels)


def task(
    lines: Lines,
    edition: str,
    settings: Friends | Reddit,
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
