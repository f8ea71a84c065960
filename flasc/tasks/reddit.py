"""Reddit comments by author: the next token, GPT-2; a task of the paper.

Read from a folder of JSON Lines (`*.jsonl`: one object per comment with `author` and `body`, as in
Pushshift's dumps), or from a data set of the hub with those columns. Comments of deleted accounts
are left out.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from typing_extensions import override

from flasc.assets.packages import Notify
from flasc.common.errors import AssetError
from flasc.data import hub
from flasc.data.lines import Lines
from flasc.tasks import language_model
from flasc.tasks.base import Task
from flasc.tasks.settings import LanguageSettings, Model, Source, Tokens, UserSplit

DELETED = frozenset({"[deleted]", "[removed]", ""})


def read_lines(folder: Path) -> Lines:
    """All comments in `*.jsonl`, files by name. Raises AssetError, naming file and line."""
    users, texts = [], []
    for path in sorted(folder.glob("*.jsonl")):
        try:
            content = path.read_text("utf-8").strip("\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise AssetError(f"{path}: cannot be read: {error}") from error
        for number, line in enumerate(content, start=1):
            try:
                row = json.loads(line)
                user, body = row["author"], row["body"]
            except (ValueError, KeyError, TypeError) as error:
                raise AssetError(
                    f"{path}, line {number}: found {line[:40]!r}; expected an object with author "
                    "and body"
                ) from error
            users.append(str(user))
            texts.append(str(body))
    return Lines(users, texts)


def load(data: str, notify: Callable[[str], None]) -> Lines:
    """Comments that have an author and a text. Raises AssetError."""
    folder = hub.local(data)
    if folder and any(folder.glob("*.jsonl")):
        found = read_lines(folder)
    else:
        rows = hub.load_split(data, "train", {"author", "body"}, notify)
        found = Lines(list(rows["author"]), list(rows["body"]))
    pairs = zip(found.users, found.texts, strict=True)
    kept = [(user, body) for user, body in pairs if not DELETED & {user, body.strip()}]
    return Lines([user for user, _ in kept], [body for _, body in kept])


class Reddit(LanguageSettings):
    """Reddit comments: the next token, a task of the paper. `data` has columns author and body."""

    name: Literal["reddit"]
    data: Source = "webis/tldr-17@refs/convert/parquet"
    """a hub id or a local folder"""
    model: Model = "openai-community/gpt2"
    tokens: Tokens = 128
    """length to which texts are cut and padded"""
    split: UserSplit = UserSplit()
    """how training examples are distributed to clients"""

    @override
    def load(self, seed: int, cache: Path | None, notify: Notify) -> Task:
        found = load(self.data, notify)
        return language_model.task(found, f"Reddit ({self.data})", self, seed, cache, notify)
