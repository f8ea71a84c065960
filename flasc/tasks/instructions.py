"""Prompts and answers from a user's own table: the next token of the answers."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import model_validator
from typing_extensions import Self, override

from flasc.assets.packages import Notify
from flasc.common.errors import AssetError
from flasc.data import chats
from flasc.data.chats import Chat, Template
from flasc.data.examples import Examples
from flasc.data.objective import LANGUAGE
from flasc.data.table import Table
from flasc.models.resolve import resolve_model
from flasc.tasks.base import Task
from flasc.tasks.settings import LanguageSettings, Model, Tokens
from flasc.tasks.tables import Column, Columns, Rows, RowSplit, TableSettings, listed


class Instructions(TableSettings, LanguageSettings):
    """Your own prompts and answers, or chats, from a file or the hub: the answers' next token."""

    name: Literal["instructions"]
    prompt: Columns = "prompt"
    """the column with the prompts; of several, the texts are joined by blank lines"""
    answer: Column = "answer"
    """the column with the answers, on which alone there is a loss"""
    messages: Column | None = None
    """the column with chats, lists of {role, content}, instead of `prompt` and `answer`; there is a
    loss on the last answer alone"""
    template: Template = "auto"
    """how prompt and answer become one text: by the tokenizer's chat template; the prompt, a line
    break and the answer; `auto`: by the chat template if there is one"""
    tokens: Tokens = 256
    """length to which texts are cut and padded; an example whose prompt alone has it is left out"""
    model: Model
    """a causal language model: a local folder (./model, relative to this scenario's folder), a hub
    id (owner/name), or a name from `flasc-emu list models`"""
    split: Rows = RowSplit(kind="iid")
    """how training examples are distributed to clients"""

    @model_validator(mode="after")
    def _has_classes_for_its_split(self) -> Self:
        if self.split.kind.startswith("dirichlet") and self.split.column is None:
            raise ValueError(
                f"found a split {self.split.kind} without column; allowed: with the column of the "
                "classes, or iid"
            )
        return self

    @override
    def load(self, seed: int, cache: Path | None, notify: Notify) -> Task:
        model = resolve_model(self.model, cache=cache, notify=notify)
        parts = self.parts(notify)
        made = {part: self._examples(part, rows, model, notify) for part, rows in parts.items()}
        train = parts["train"].take(np.array(made["train"][1], np.int64))
        return Task(
            edition=self.edition,
            train=made["train"][0],
            validation=made["validation"][0],
            test=made["test"][0],
            clients=self.split.clients(train, None, self.clients, seed),
            classes=(),
            model=model,
            head="causal",
            objective=LANGUAGE[self.scored_by],
        )

    def _examples(
        self, part: str, rows: Table, model: Path, notify: Notify
    ) -> tuple[Examples, list[int]]:
        notify(f"tokenising {len(rows)} texts")
        found = self._chats(rows)
        examples, kept = chats.encode(found, model, self.tokens, self.template)
        if not kept:
            raise AssetError(
                f"{rows.origin}: found no prompt for {part} that leaves room for an answer in "
                f"{self.tokens} tokens",
                "set task.tokens to more",
            )
        if left_out := len(rows) - len(kept):
            notify(f"{left_out} of {len(rows)} examples left out: no room for an answer")
        return examples, kept

    def _chats(self, rows: Table) -> list[Chat]:
        if self.messages is not None:
            column = rows.column(self.messages, "task.messages")
            where = f"{rows.origin}, column {self.messages!r} (task.messages), row"
            return [chats.chat(each, f"{where} {row}") for row, each in enumerate(column, start=1)]
        prompts = rows.texts(listed(self.prompt), "task.prompt", joint="\n\n")
        answers = rows.texts([self.answer], "task.answer")
        pairs = zip(prompts, answers, strict=True)
        return [Chat((("user", prompt), ("assistant", answer))) for prompt, answer in pairs]
