"""The text of a new scenario for a user's own table, whose columns tell what it is."""

import os
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.common.errors import ScenarioError
from emulator.scenario import template
from emulator.scenario.key_path import quoted
from flasc.data import table

# Names that data sets give their columns, the usual ones first.
TEXTS = ("text", "sentence", "content", "body", "review", "comment", "tweet", "message", "document")
LABELS = ("label", "labels", "class", "category", "target", "sentiment", "intent", "topic", "stars")
PROMPTS = ("prompt", "instruction", "question", "input", "query")
ANSWERS = ("answer", "response", "output", "completion", "reply")
CHATS = ("messages", "conversation", "conversations", "chat")
USERS = ("user", "user_id", "author", "client", "client_id", "speaker", "account", "device")
MOST_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Found:
    """A task's keys, and the columns with the texts, whose lengths decide `tokens`."""

    keys: Mapping[str, str]
    texts: Sequence[str]

    @property
    def is_language(self) -> bool:
        """Whether the model is to answer, and not to classify."""
        return self.keys["name"] == "instructions"


def whole(
    name: str,
    data: Path,
    file: Path,
    model: str | None = None,
    *,
    preset: str | None = None,
    network: str | None = None,
) -> str:
    """The text of a scenario in `file` over the table in `data`. Raises ScenarioError, AssetError.

    `preset` and `network` are those of `template.whole`.
    """
    rows = table.read(data)
    found = _task(rows)
    if found.is_language and model is None:
        raise ScenarioError(
            f"{data}: found prompts and answers, and no --model; allowed: a causal language model, "
            "a local folder (./model) or a hub id (owner/name)"
        )
    user = _named(rows, USERS)
    clients = len(set(rows.texts([user], "users"))) if user else min(100, max(2, len(rows) // 10))
    return template.whole(
        name,
        preset,
        clients,
        ("lora", "flasc") if found.is_language else ("lora", "head", "flasc"),
        "perplexity: 20" if found.is_language else "accuracy: 70 %",
        network,
        _section(rows, found, user, clients, _relative(data, file), model or "minilm"),
    )


def _section(
    rows: table.Table, found: Found, user: str | None, clients: int, file: str, model: str
) -> str:
    keys = {"name": found.keys["name"], "file": quoted(file)}
    keys |= {key: quoted(value) for key, value in found.keys.items() if key != "name"}
    keys |= {"model": quoted(model), "clients": str(clients), "tokens": str(_tokens(rows, found))}
    if user:
        keys["split"] = f"{{kind: natural, column: {quoted(user)}}}"
    else:
        keys["split"] = "iid" if found.is_language else "{kind: dirichlet, alpha: 0.1}"
    about = {
        "file": f"columns: {', '.join(rows.columns)}",
        "clients": f"of {len(rows)} rows",
        "tokens": "texts are cut and padded to this length",
        "split": "each user is a client" if user else "how rows are distributed to clients",
    }
    if found.is_language:
        keys["scored_by"] = "perplexity"
        about["scored_by"] = "or next-token accuracy, or exact match"
    lines = [f"  {key}: {value}" for key, value in keys.items()]
    noted = [
        f"{line:<29} # {about[key]}" if key in about else line
        for key, line in zip(keys, lines, strict=True)
    ]
    return "\n".join(["task:", *noted, ""])


def _task(rows: table.Table) -> Found:
    """What the columns hold. Raises ScenarioError if nothing tells."""
    if (chats := _named(rows, CHATS)) and isinstance(rows.columns[chats][0], list):
        return Found({"name": "instructions", "messages": chats}, [])
    prompt, answer = _named(rows, PROMPTS), _named(rows, ANSWERS)
    if prompt and answer:
        keys = {"name": "instructions", "prompt": prompt, "answer": answer}
        return Found(keys, [prompt, answer])
    others = [name for name in rows.columns if name not in (_named(rows, USERS),)]
    label = _named(rows, LABELS) or _fewest(rows, others)
    text = _named(rows, TEXTS) or _longest(rows, [name for name in others if name != label])
    if label is None or text is None:
        raise ScenarioError(
            f"{rows.origin}: found the columns {', '.join(map(repr, rows.columns))}; allowed: "
            "texts and labels, or prompts and answers",
            "write the scenario by hand: see docs/howto/use_your_own_data.md",
        )
    return Found({"name": "text_file", "text": text, "label": label}, [text])


def _named(rows: table.Table, names: Sequence[str]) -> str | None:
    """The first of the usual names that a column has, in any case."""
    by_lower = {name.lower(): name for name in rows.columns}
    return next((by_lower[name] for name in names if name in by_lower), None)


def _fewest(rows: table.Table, names: Sequence[str]) -> str | None:
    """The column with the fewest different values, of two to half as many as rows."""
    count = {name: len(set(map(str, rows.columns[name]))) for name in names}
    fits = [name for name in names if 2 <= count[name] <= len(rows) / 2]
    return min(fits, key=count.__getitem__, default=None)


def _longest(rows: table.Table, names: Sequence[str]) -> str | None:
    """The column with the longest texts."""
    return max(names, key=lambda name: _mean_length(rows.columns[name]), default=None)


def _mean_length(values: Sequence[Any]) -> float:
    return statistics.fmean(len(str(value)) for value in values)


def _tokens(rows: table.Table, found: Found) -> int:
    """Room for 95 % of the texts at three tokens for two words, in steps of 16."""
    if not found.texts:
        return MOST_TOKENS
    words = [len(re.findall(r"\w+|[^\w\s]", text)) for text in rows.texts(found.texts, "text")]
    usual = sorted(words)[int(0.95 * (len(words) - 1))]
    return min(MOST_TOKENS, max(32, -(-usual * 3 // 32) * 16))


def _relative(data: Path, file: Path) -> str:
    """`data` relative to the folder of the scenario in `file`."""
    return Path(os.path.relpath(data.resolve(), file.parent.resolve())).as_posix()
