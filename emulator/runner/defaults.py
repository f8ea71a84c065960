"""Remarks about values that a scenario does not set, although they make its trainings long."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from emulator.common.errors import RecordingError
from emulator.runner.estimates import is_whole
from emulator.scenario.study import Study, TrainingJob

SHORT = 32  # tokens of a scenario that shall be quick

# Flags of /proc/cpuinfo. Most processors with one multiply bf16 numbers faster than fp32 numbers:
# docs/background/training_engines.md
BF16_FLAGS = ("amx_bf16", "avx512_bf16")


def remarks(study: Study, recordings: Path) -> Iterator[str]:
    """One line per default that matters for what is not recorded to its end."""
    if study.trains:
        trainings = [each for each in study.trainings() if _is_to_train(each, recordings)]
        found = *_tokens(trainings), *_engines(trainings), *_precisions(trainings, bf16_unit())
        yield from dict.fromkeys(found)


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


def bf16_unit(cpu: Path = Path("/proc/cpuinfo"), gpu: Path = Path("/dev/nvidia0")) -> str:
    """The unit for bf16 products of this machine's processor; '' if none is known, or with a GPU.

    On a GPU `training.precision: auto` is bf16 already.
    """
    if gpu.exists() or not cpu.exists():
        return ""
    flags = cpu.read_text("utf-8", "replace").partition("flags")[2].partition("\n")[0].split()
    return next((flag for flag in BF16_FLAGS if flag in flags), "")


def _precisions(trainings: Sequence[TrainingJob], unit: str) -> Iterator[str]:
    settings = (training.settings for training in trainings)
    if unit and any(one.precision == "auto" and not one.needs_reference() for one in settings):
        yield (
            f"this processor has {unit}: LoRA may train up to 1.7 times as fast with `--set "
            "training.precision=bf16`, to the same accuracy; training.evaluation.precision=bf16 "
            "is for evaluations alone"
        )
