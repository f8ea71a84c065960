"""How finely times to the target were measured: the model is scored every few rounds only."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from emulator.results.metrics import Outcome


class Run(NamedTuple):
    """The seed of a training, and the draw of the fleet; None if the seed draws it."""

    seed: int
    network_seed: int | None = None


@dataclass(frozen=True)
class Resolution:
    """How finely times to the target were measured.

    The target is reached between two evaluations. The variance of ln(time) is about that of a
    uniform distribution between them: (resolution / time)^2 / 12.
    """

    ours: Mapping[Run, Outcome]
    theirs: Mapping[Run, Outcome]

    def of_pair(self, run: Run) -> float:
        """The variance of ln(theirs / ours); 0 if both time the same training."""
        ours, theirs = self.ours[run], self.theirs[run]
        if _learned(ours) == _learned(theirs):
            return 0.0  # the true time is in the same round of both
        return _resolution(ours) + _resolution(theirs)

    @property
    def of_each(self) -> tuple[float, float]:
        """The mean variance of ln(time), of ours and of theirs."""
        ours, theirs = (map(_resolution, of.values()) for of in (self.ours, self.theirs))
        return statistics.fmean(ours), statistics.fmean(theirs)


def _resolution(found: Outcome) -> float:
    if not (found.time_to_target_s and found.target_resolution_s):
        return 0.0
    return (found.target_resolution_s / found.time_to_target_s) ** 2 / 12


def _learned(found: Outcome) -> tuple[object, ...]:
    """What two simulations of the same training have in common."""
    return found.method, found.rounds_to_target, found.best_accuracy, found.final_loss
