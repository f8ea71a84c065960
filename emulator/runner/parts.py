"""Divides trainings with many simulations into parts, so that all workers share them.

Parts do not depend on the number of workers, and a run files them in their order: neither do its
results. A replayed training is divided at once. Of another one, the first part trains, and the
others wait until it has ended.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from emulator.runner.events import Event, OnEvent, TrainingResult
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import TrainingJob
from flasc.common.errors import UserError

T = TypeVar("T")
SIZE = 32  # simulations of a part, at most


@dataclass(frozen=True)
class Part:
    """Some simulations of a training (its index); the last part exports its model."""

    training: int
    job: TrainingJob


def divided(trainings: Sequence[TrainingJob], *, may_train: bool) -> list[Part]:
    """The parts of all trainings, in order; a training with few simulations is one part.

    With `may_train`, the parts of a training wait for its first one.
    """
    many = sum(each.count for each in trainings) > SIZE
    parts: list[Part] = []
    for index, training in enumerate(trainings):
        first, pieces = len(parts), list(_pieces(training.variants))
        for number, variants in enumerate(pieces):
            job = replace(
                training,
                variants=variants,
                after=first if number and may_train else None,
                exports=number == len(pieces) - 1,
                brief=many,
            )
            parts.append(Part(index, job))
    return parts


def _pieces(variants: Mapping[str, Scenario]) -> Iterator[dict[str, Scenario]]:
    """Variants with their draws, in order, with at most SIZE simulations each."""
    draws = next(iter(variants.values())).draws
    for labels in _batches(list(variants), max(1, SIZE // len(draws))):
        for some in _batches(draws, SIZE):
            own = {label: variants[label] for label in labels}
            if len(some) < len(draws):
                own = {
                    label: each.model_copy(update={"network_seeds": list(some)})
                    for label, each in own.items()
                }
            yield own


def _batches(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def of_training(parts: Sequence[Part], on_event: OnEvent) -> OnEvent:
    """A listener of the events of `parts` that tells those of their trainings."""

    def tell(event: Event) -> None:
        if event.training is not None:
            event = replace(event, training=parts[event.training].training)
        on_event(event)

    return tell


def joined(results: Sequence[TrainingResult | UserError]) -> TrainingResult | UserError:
    """The result of a training from those of its parts: the first error, if there is one."""
    done = [each for each in results if isinstance(each, TrainingResult)]
    if len(done) < len(results):
        return next(each for each in results if not isinstance(each, TrainingResult))
    last = done[-1]
    return replace(
        last,
        emulations={e: rows for each in done for e, rows in each.emulations.items()},
        summaries={e: found for each in done for e, found in each.summaries.items()},
        stalled={e: error for each in done for e, error in each.stalled.items()},
        trained=frozenset().union(*(each.trained for each in done)),
        replayed=frozenset().union(*(each.replayed for each in done)),
    )


def without_rows(result: TrainingResult) -> TrainingResult:
    """The result without its rows, which have been filed."""
    return replace(result, emulations={}, summaries={})
