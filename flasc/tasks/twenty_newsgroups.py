"""20 Newsgroups as a task: texts of 20 classes, in two editions."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import Self, override

from flasc.assets.catalogue import locate
from flasc.assets.packages import Notify
from flasc.data import newsgroups, newsgroups_raw, tokens as text
from flasc.data.examples import Examples
from flasc.models.resolve import resolve_model
from flasc.models.settings import Head
from flasc.tasks.base import Task
from flasc.tasks.settings import Model, Source, Split, TaskSettings, Tokens


class Newsgroups(TaskSettings):
    """20 Newsgroups: 20 classes of text. `edition` raw keeps headers, as in the paper."""

    head: ClassVar[Head | None] = "text"
    name: Literal["20newsgroups"]
    edition: Annotated[
        Literal["all-terms", "raw"], Field(exclude_if=lambda edition: edition == "all-terms")
    ] = "all-terms"
    """edition of the texts: see [data](../howto/data_and_weights.md#edition-of-20-newsgroups)"""
    data: Annotated[Source | None, Field(exclude_if=lambda data: data is None)] = None
    """a folder with the files of the original archive; for `raw` only; none: scikit-learn downloads
    them"""
    model: Model = "minilm"
    tokens: Tokens = 128
    """length to which texts are cut and padded"""
    split: Split = Split()
    """how training examples are distributed to clients"""

    @property
    @override
    def most_clients(self) -> int | None:
        return 9_034 if self.edition == "all-terms" else None

    @model_validator(mode="after")
    def _data_needs_the_raw_edition(self) -> Self:
        if self.data is not None and self.edition != "raw":
            raise ValueError(
                f"found data with edition {self.edition}; allowed: data with edition raw"
            )
        return self

    @override
    def load(self, seed: int, cache: Path | None, notify: Notify) -> Task:
        if self.edition == "raw":
            corpus = newsgroups_raw.load(self.data, notify)
        else:
            corpus = newsgroups.load(locate("20newsgroups", cache=cache, notify=notify))
        model = resolve_model(self.model, cache=cache, notify=notify)

        def examples(documents: newsgroups.Documents) -> Examples:
            tokens = text.encode(documents.texts, model, self.tokens, cache, notify)
            return Examples(tokens.features, documents.labels)

        train = examples(corpus.train)
        return Task(
            edition=corpus.edition,
            train=train,
            validation=examples(corpus.validation),
            test=examples(corpus.test),
            clients=self.split.clients(train.labels, self.clients, seed),
            classes=corpus.classes,
            model=model,
        )
