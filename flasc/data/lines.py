"""Texts by user, and the split of users into training, validation and test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flasc.common import rng
from flasc.data import tokens as text
from flasc.data.examples import Examples
from flasc.data.objective import IGNORED

HELD_OUT = 0.1  # share of the users for validation, and of those for the test


@dataclass(frozen=True, slots=True)
class Lines:
    """`texts[i]` was written by `users[i]`."""

    users: Sequence[str]
    texts: Sequence[str]

    def of(self, chosen: set[str]) -> "Lines":
        """The texts of the users in `chosen`, in the same order."""
        rows = [i for i, user in enumerate(self.users) if user in chosen]
        return Lines([self.users[i] for i in rows], [self.texts[i] for i in rows])


def split_users(users: Sequence[str]) -> tuple[set[str], set[str], set[str]]:
    """Users for training, validation and test: disjoint, and the same for every training seed."""
    names = sorted(set(users))
    order = rng.stream(0, "users").permutation(len(names))
    held = max(1, round(len(names) * HELD_OUT))
    shuffled = [names[i] for i in order]
    return set(shuffled[2 * held :]), set(shuffled[:held]), set(shuffled[held : 2 * held])


def examples(tokens: text.Tokens) -> Examples:
    """Texts that are their own labels; padding is IGNORED."""
    labels = np.where(tokens.attention_mask, tokens.input_ids, IGNORED).astype(np.int64)
    return Examples(tokens.features, labels)
