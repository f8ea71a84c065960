"""When the model is scored, and when that ends a run."""

from emulator.simulation.records import Evaluation, LabelScore
from emulator.simulation.rounds.context import SimulationContext


class Evaluator:
    """Scores the model every so many rounds and counts evaluations past the target."""

    def __init__(self, context: SimulationContext) -> None:
        self._context = context
        self._past_target = 0

    def evaluate_round(self, number: int) -> bool:
        """Score what round `number` made, if it is due; whether it is the last round."""
        training = self._context.training
        last = number == training.rounds
        if last or number % training.evaluation.every == 0:
            accuracy = self._score("validation", number)
            target = training.target
            if target and (self._past_target or accuracy >= target.accuracy):
                self._past_target += 1
                last |= target.stop_after != "never" and self._past_target > target.stop_after
        if last:
            self._score_labels(number)
        if last and training.evaluation.test:
            self._score("test", number)
        return last

    def _score(self, split: str, number: int) -> float:
        score = self._context.trainer.evaluate(split)
        now_s = self._context.env.now
        row = Evaluation(number, now_s, split, score.examples, score.accuracy, score.loss)
        self._context.log.add(row)
        return score.accuracy

    def _score_labels(self, number: int) -> None:
        """What the last score says of each label, for whoever asks whom the model serves."""
        score = self._context.trainer.evaluate("validation")
        for label, (right, examples) in enumerate(score.by_label):
            if examples:
                self._context.log.add(LabelScore(number, "validation", label, right, examples))
