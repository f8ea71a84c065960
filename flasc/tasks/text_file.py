"""Classification of the texts in a user's own table."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator
from typing_extensions import Self, override

from flasc.assets.packages import Notify
from flasc.common.errors import AssetError
from flasc.data import tokens as text
from flasc.data.examples import Examples
from flasc.data.objective import MacroF1, MultiLabel, Objective, SingleLabel
from flasc.data.table import Table
from flasc.models.resolve import resolve_model
from flasc.models.settings import Head
from flasc.tasks.base import Task
from flasc.tasks.settings import Model
from flasc.tasks.tables import Column, Columns, Rows, RowSplit, TableSettings, listed


class TextFile(TableSettings):
    """Your own labelled texts, from a CSV, TSV, JSON Lines or Parquet file, or from the hub."""

    head: ClassVar[Head | None] = "text"
    name: Literal["text_file"]
    text: Columns = "text"
    """the column with the texts; of several, the texts are joined by line breaks"""
    label: Column = "label"
    """the column with the labels"""
    multi_label: bool = False
    """each row has any number of labels: a list, or a text in which `separator` is between two"""
    separator: Column = ","
    """what is between two labels in a text, for `multi_label`"""
    scored_by: Literal["accuracy", "macro F1", "micro F1"] | None = None
    """the metric: accuracy or macro F1, micro F1 for `multi_label`; none: accuracy or micro F1"""
    model: Model = "minilm"
    split: Rows = RowSplit(kind="dirichlet")
    """how training examples are distributed to clients"""

    @property
    def metric(self) -> str:  # type: ignore[override]  # other tasks have one metric per class
        """The name of the metric."""
        return self.scored_by or ("micro F1" if self.multi_label else "accuracy")

    @model_validator(mode="after")
    def _is_scored_by_what_its_labels_allow(self) -> Self:
        if self.multi_label != (self.metric == "micro F1"):
            allowed = "micro F1" if self.multi_label else "accuracy or macro F1"
            raise ValueError(
                f"found scored_by {self.metric} with multi_label {str(self.multi_label).lower()}; "
                f"allowed: {allowed}"
            )
        return self

    @property
    def objective(self) -> Objective:
        """The loss and the metric."""
        if self.multi_label:
            return MultiLabel()
        return MacroF1() if self.metric == "macro F1" else SingleLabel()

    @override
    def load(self, seed: int, cache: Path | None, notify: Notify) -> Task:
        parts = self.parts(notify)
        every = {part: self._labels(rows) for part, rows in parts.items()}
        classes = _classes(of_row for rows in every.values() for of_row in rows)
        if len(classes) < (1 if self.multi_label else 2):
            raise AssetError(f"{self.edition}: found the labels {classes}; allowed: two or more")
        model = resolve_model(self.model, cache=cache, notify=notify)
        code = {label: number for number, label in enumerate(classes)}
        coded = {part: self._coded(rows, code) for part, rows in every.items()}

        def examples(part: str, rows: Table) -> Examples:
            texts = rows.texts(listed(self.text), "task.text")
            tokens = text.encode(texts, model, self.tokens, cache, notify)
            return Examples(tokens.features, coded[part])

        first = np.array([code[of_row[0]] if of_row else len(code) for of_row in every["train"]])
        return Task(
            edition=self.edition,
            train=examples("train", parts["train"]),
            validation=examples("validation", parts["validation"]),
            test=examples("test", parts["test"]),
            clients=self.split.clients(parts["train"], first, self.clients, seed),
            classes=classes,
            model=model,
            objective=self.objective,
        )

    def _labels(self, rows: Table) -> list[list[str]]:
        """The labels of each row."""
        values = rows.column(self.label, "task.label")
        if not self.multi_label:
            labels = rows.texts([self.label], "task.label")
            if "" in labels:
                raise AssetError(
                    f"{rows.origin}, row {labels.index('') + 1}: found no label in column "
                    f"{self.label!r} (task.label); allowed: a label in each row"
                )
            return [[label] for label in labels]
        return [self._several(value, rows.origin, row) for row, value in enumerate(values, start=1)]

    def _several(self, value: Any, origin: str, row: int) -> list[str]:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(self.separator) if part.strip()]
        if not isinstance(value, Sequence):
            raise AssetError(
                f"{origin}, row {row}: found {value!r} in column {self.label!r} (task.label); "
                "allowed: a list, or a text"
            )
        return [str(label) for label in value]

    def _coded(self, rows: list[list[str]], code: dict[str, int]) -> NDArray[Any]:
        """int64 [rows], or float32 [rows, classes] for any number of labels."""
        if not self.multi_label:
            return np.array([code[label] for (label,) in rows], np.int64)
        hot = np.zeros((len(rows), len(code)), np.float32)
        for row, labels in zip(hot, rows, strict=True):
            row[[code[label] for label in labels]] = 1
        return hot


def _parts(parts: Any) -> dict[str, Table]:
    return {"train": parts["train"], "validation": parts.validation, "test": parts.test}


def _classes(rows: Iterable[list[str]]) -> list[str]:
    """All labels in order: by number if all are whole numbers, else by name."""
    found = {label for labels in rows for label in labels}
    if all(re.fullmatch(r"-?[0-9]+", label) for label in found):
        return sorted(found, key=lambda label: (int(label), label))
    return sorted(found)
