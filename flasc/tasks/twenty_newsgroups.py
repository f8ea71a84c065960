"""From texts and labels to a task: tokenised, dealt to clients."""

from collections.abc import Callable
from pathlib import Path

from flasc.assets.catalogue import locate, resolve_model
from flasc.common import rng
from flasc.data import newsgroups, newsgroups_raw
from flasc.data import tokens as text
from flasc.data.partition import PARTITIONS
from flasc.task_settings import Newsgroups as Settings
from flasc.tasks.base import Examples, Task


def newsgroups_task(
    settings: Settings, seed: int, cache: Path | None, notify: Callable[[str], None]
) -> Task:
    """20 Newsgroups for `settings.model`; `seed` decides who holds which example."""
    if settings.edition == "raw":
        corpus = newsgroups_raw.load(settings.data, notify)
    else:
        corpus = newsgroups.load(locate("20newsgroups", cache=cache, notify=notify))
    return _task(corpus, settings, seed, cache, notify)


def _task(
    corpus: newsgroups.Corpus,
    settings: Settings,
    seed: int,
    cache: Path | None,
    notify: Callable[[str], None],
) -> Task:
    model = resolve_model(settings.model, cache=cache, notify=notify)

    def examples(documents: newsgroups.Documents) -> Examples:
        tokens = text.encode(documents.texts, model, settings.tokens, cache, notify)
        features = {"input_ids": tokens.input_ids, "attention_mask": tokens.attention_mask}
        return Examples(features, documents.labels)

    train = examples(corpus.train)
    deal = PARTITIONS[settings.split.kind]
    stream = rng.stream(seed, "partition")
    return Task(
        edition=corpus.edition,
        train=train,
        validation=examples(corpus.validation),
        test=examples(corpus.test),
        clients=deal(train.labels, settings.clients, settings.split.alpha, stream),
        classes=corpus.classes,
        model=model,
    )
