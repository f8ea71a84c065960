"""What a search measured of one configuration, and what it expects of the next ones."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.network.tcp import Direction
from emulator.results.metrics import Outcome
from emulator.runner.estimates import LeastRounds, Messages
from emulator.runner.search.lattice import Point
from emulator.runner.search.walk import Score
from emulator.scenario.scenario import Scenario
from emulator.simulation.target import ACCURACY, LOSS

# What `search.json` has of each seed.
FACTS = (
    "seed", "time_to_target_s", "rounds_to_target", "bytes_down_to_target", "bytes_up_to_target",
    "best_accuracy", "rounds", "duration_s", "bytes_down", "bytes_up",
)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """A configuration and its outcomes, one per seed; without any if one of them failed.

    `point` is None for the dense LoRA that a search is compared with. `problem` says why a training
    failed or could not continue; it is empty otherwise. `given_up`: it ended because it could no
    longer be the best.
    """

    name: str
    point: Point | None
    outcomes: tuple[Outcome, ...]
    trained_rounds: int = 0
    problem: str = ""
    given_up: bool = False

    @property
    def times_s(self) -> list[float]:
        """Simulated seconds to the target, of the seeds that reached it."""
        return [o.time_to_target_s for o in self.outcomes if o.time_to_target_s is not None]

    @property
    def reached(self) -> bool:
        """Whether every seed reached the target."""
        return bool(self.outcomes) and len(self.times_s) == len(self.outcomes)

    @property
    def quality(self) -> float:
        """Mean over seeds of the best accuracy, or of the last loss if the target is a loss."""
        by_loss = any(o.target_measure == LOSS for o in self.outcomes)
        scores = [o.final_loss if by_loss else o.best_accuracy for o in self.outcomes]
        return statistics.fmean(score for score in scores if score is not None)

    @property
    def source(self) -> str:
        """Whether anything was trained for it."""
        return "trained" if self.trained_rounds else "replayed"

    def score(self, seeds: int) -> Score:
        """What it is compared by, of `seeds` seeds."""
        times_s = self.times_s
        shortfall = 0.0 if times_s else self._shortfall()
        return Score(seeds - len(times_s), math.fsum(times_s), shortfall)

    def _shortfall(self) -> float:
        if not self.outcomes:
            return math.inf
        rises = self.outcomes[0].target_measure == ACCURACY
        return 1 - self.quality if rises else self.quality

    def facts(self) -> dict[str, Any]:
        """What `search.json` has of it."""
        seeds = [{name: getattr(each, name) for name in FACTS} for each in self.outcomes]
        point = self.point._asdict() if self.point else {}
        return {"method": self.name} | point | {
            "source": self.source,
            "trained_rounds": self.trained_rounds,
            "given_up": self.given_up,
            "problem": self.problem or None,
            "seeds": seeds,
        }  # fmt: skip


class Forecast:
    """Expected times of configurations that were not measured, for the order of a search alone.

    The rounds to the target are taken from a measured neighbour: as many for a sparser one, and one
    evaluation fewer for a denser one. The time of a round changes by as much as its lower bound.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._least, self._plan = LeastRounds(scenario), scenario.training

    def seconds(self, here: Trial, to: Point) -> float:
        """Expected simulated seconds to the target of `to`, by the first seed of `here`."""
        if here.point is None or not here.outcomes:
            return 0.0
        found = here.outcomes[0]
        rounds = found.rounds_to_target or found.rounds
        sent = _sent(found, rounds * self._plan.cohort)
        share = to.rank / here.point.rank
        scaled: dict[Direction, float] = {
            "down": sent["down"] * share * to.down / here.point.down,
            "up": sent["up"] * share * to.up / here.point.up,
        }
        longer_s = self._round_s(scaled) - self._round_s(sent)
        is_denser = any(new > old for new, old in zip(to, here.point, strict=True))
        fewer = self._plan.evaluation.every if is_denser else 0
        whole_s = found.duration_s if found.time_to_target_s is None else found.time_to_target_s
        return max(1, rounds - fewer) * (whole_s / max(1, rounds) + longer_s)

    def _round_s(self, sent: Mapping[Direction, float]) -> float:
        """The least seconds of a round, on average, if each client sends so many bytes."""
        nbytes: dict[Direction, int] = {way: max(1, round(size)) for way, size in sent.items()}
        least = {"encoded": nbytes, "values": nbytes}
        return statistics.fmean(
            self._least.seconds(Messages(sent["down"], sent["up"], "computed", least))
        )


def _sent(found: Outcome, messages: int) -> dict[Direction, float]:
    """Mean bytes of one message in each direction."""
    down, up = found.bytes_down_to_target, found.bytes_up_to_target
    if down is None or up is None:
        down, up = found.bytes_down, found.bytes_up
    return {"down": down / max(1, messages), "up": up / max(1, messages)}
