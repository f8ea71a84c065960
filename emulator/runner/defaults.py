"""Remarks about values that a scenario does not set, although they make its trainings long."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from emulator.common.errors import RecordingError
from emulator.runner.estimates import is_whole
from emulator.scenario.study import Study, TrainingJob

SHORT = 32  # tokens of all scenarios that we ship


def remarks(study: Study, recordings: Path) -> Iterator[str]:
    """One line per default that matters for what is not recorded to its end."""
    if study.trains:
        trainings = [each for each in study.trainings() if _is_to_train(each, recordings)]
        yield from dict.fromkeys((*_tokens(trainings), *_engines(trainings)))


def _is_to_train(training: TrainingJob, recordings: Path) -> bool:
    try:
        return not is_whole(training, recordings)
    except RecordingError:  # the training itself reports it
        return False


def _tokens(trainings: Sequence[TrainingJob]) -> Iterator[str]:
    for task in (training.settings.task for training in trainings):
        tokens = getattr(task, "tokens", SHORT)
        if "tokens" not in task.model_fields_set and tokens > SHORT:
            yield (
                f"task.tokens is not set: texts have up to {tokens} tokens, which takes about "
                f"{tokens / SHORT:.0f} times as long as {SHORT}"
            )


def _engines(trainings: Sequence[TrainingJob]) -> Iterator[str]:
    for settings in (training.settings for training in trainings):
        if settings.engine == "cohort" and (kind := settings.model_without_cohort_engine()):
            yield (
                f"the reference engine trains models of type {kind}: slower, one client after the "
                "other, in fp32"
            )
