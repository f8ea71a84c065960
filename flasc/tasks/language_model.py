"""Texts by user as the task of a causal language model: each user is a client."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from flasc.assets.packages import Notify
from flasc.common import rng
from flasc.common.errors import AssetError
from flasc.data import tokens as text
from flasc.data.examples import Examples
from flasc.data.lines import Lines, examples, split_users
from flasc.data.objective import LANGUAGE
from flasc.models.resolve import resolve_model
from flasc.tasks.base import Task

if TYPE_CHECKING:
    from flasc.tasks.friends import Friends
    from flasc.tasks.reddit import Reddit


def task(
    lines: Lines,
    edition: str,
    settings: Friends | Reddit,
    seed: int,
    cache: Path | None,
    notify: Notify,
) -> Task:
    """The task of `lines`; `seed` decides which users are the clients.

    Users are split first: a user for validation or test is never a client. Texts of one token,
    which have no next token, are left out. Raises AssetError for fewer than ten users.
    """
    if len(set(lines.users)) < 10:
        raise AssetError(f"{edition}: found {len(set(lines.users))} users; allowed: 10 or more")
    model = resolve_model(settings.model, cache=cache, notify=notify)

    def part(of: set[str]) -> tuple[Examples, npt.NDArray[np.int64]]:
        """Examples in random order, so that the first k are a fair sample, and their users."""
        mine = lines.of(of)
        tokens = text.encode(mine.texts, model, settings.tokens, cache, notify)
        rows = rng.stream(0, "lines").permutation(np.flatnonzero(tokens.attention_mask[:, 1]))
        owners = np.unique(mine.users, return_inverse=True)[1]
        return examples(tokens.take(rows)), owners[rows]

    train, validation, test = (part(users) for users in split_users(lines.users))
    return Task(
        edition=edition,
        train=train[0],
        validation=validation[0],
        test=test[0],
        clients=settings.split.clients(train[1], settings.clients, seed),
        classes=(),
        model=model,
        head="causal",
        objective=LANGUAGE[settings.scored_by],
    )
