"""Errors of several trainings become one."""

import pickle

from emulator.common.errors import EmulationError, NotRecordedError
from emulator.runner import inputs
from emulator.runner.failures import summary


def ended(best):
    return NotRecordedError("ended", "train it", "0.70", best)


def test_the_best_of_each_method_over_seeds(scenario):
    found = inputs.read(scenario(), ["training.seeds=[0, 1]"]).trainings()
    errors = [(0, ended(0.5)), (1, ended(0.566)), (2, ended(0.4))]
    error = summary(found, errors)
    assert error.message == (
        "not finished: 3 of 6 trainings: target 0.70 was not reached within the recording: "
        "best 0.566 (LoRA), 0.400 (head)"
    )
    assert error.hint == "train it"
    mixed = summary(found, [*errors, (5, EmulationError("died"))]).message
    assert mixed.startswith("not finished: LoRA, seed 0; LoRA, seed 1; head, seed 0; FLASC, seed 1")
    assert mixed.endswith("; the first: ended")


def test_workers_can_send_it():
    sent = pickle.loads(pickle.dumps(ended(0.5)))
    assert (sent.message, sent.hint, sent.missed, sent.best) == ("ended", "train it", "0.70", 0.5)
