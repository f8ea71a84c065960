"""Evaluation schedule and early stopping."""

from emulator.common.errors import GivenUpError
from emulator.common.units import format_duration
from emulator.simulation.records import Evaluation, LabelScore
from emulator.simulation.rounds.context import SimulationContext


class Evaluator:
    """Evaluates the model on schedule and ends the training after the target is reached."""

    def __init__(self, context: SimulationContext) -> None:
        self._context = context
        self._scores: list[Evaluation] = []  # on the validation split

    def evaluate_round(self, number: int) -> bool:
        """Evaluates the model of round `number` if due; returns whether the round is the last.

        Raises GivenUpError if the target was not reached by the time to give up.
        """
        training = self._context.training
        plan, last = training.evaluation, number == training.rounds
        if number % plan.every and not last:
            return False
        self._scores.append(self._score("validation", number))
        last |= training.target is not None and training.target.ends(self._scores)
        if last:
            self._score_labels(number)
        else:
            self._give_up()
        if plan.test == "each" or (plan.test and last):
            self._score("test", number)
        return last

    def _give_up(self) -> None:
        now_s, goal = self._context.env.now, self._context.training.goal
        reached = goal is not None and goal.reached_at(self._scores) is not None
        if now_s > self._context.give_up_s and not reached:
            raise GivenUpError(
                f"given up after {format_duration(now_s)}, without having reached the target",
                "run its scenario to train it to its end",
            )

    def _score(self, split: str, number: int) -> Evaluation:
        score = self._context.trainer.evaluate(split)
        now_s = self._context.env.now
        row = Evaluation(number, now_s, split, score.examples, score.accuracy, score.loss)
        self._context.log.add(row)
        return row

    def _score_labels(self, number: int) -> None:
        """Logs the accuracy on each label, for fairness metrics."""
        score = self._context.trainer.evaluate("validation")
        for label, (right, examples) in enumerate(score.by_label):
            if examples:
                self._context.log.add(LabelScore(number, "validation", label, right, examples))
