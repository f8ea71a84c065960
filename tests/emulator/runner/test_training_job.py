"""What a simulation reports of its rounds and scores while it runs."""

from emulator.runner.events import TrainingProgress
from emulator.runner.training_job import ProgressReporter
from emulator.simulation.records import Evaluation, Round, Row


def test_a_score_keeps_the_round_that_it_is_of():
    """Scores as in a ledger: 0.03, 0.02 and 0.03 after rounds 1 to 3; each round ends first."""
    told: list[TrainingProgress] = []
    report = ProgressReporter(TrainingProgress(0, "fast", rounds=3), told.append, lambda: 0)
    rows: list[Row] = []
    for number, accuracy in ((1, 0.03), (2, 0.02), (3, 0.03)):
        rows += [
            Round(number, 4, number - 1.0, float(number)),
            Evaluation(number, float(number), "validation", 800, accuracy, 2.0),
        ]
    for row in rows:
        report(row)
    found = [(each.round, each.split, each.accuracy, each.scored_round) for each in told]
    assert found == [
        (1, "", None, None), (1, "validation", 0.03, 1),
        (2, "", 0.03, 1), (2, "validation", 0.02, 2),
        (3, "", 0.02, 2), (3, "validation", 0.03, 3),
    ]  # fmt: skip
