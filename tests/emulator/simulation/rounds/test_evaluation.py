"""When the model is evaluated, and when a target ends the training."""

import math

from emulator.simulation.records import Evaluation, Round
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

from ..small_scenario import of, scenario


def test_it_stops_some_evaluations_past_the_target():
    # accuracy = 0.8 (1 - e^(-t/2)) passes 0.5 in round 2, so 2 more evaluations end in round 4.
    first = math.ceil(-2 * math.log(1 - 0.5 / 0.8))
    target = {"target": {"accuracy": 0.5, "stop_after": 2}, "rounds": 50}
    rows = simulate(scenario(target), 0, StubTrainer(down_bytes=1, up_bytes=1, best=0.8, tau=2.0))
    assert of(Round, rows)[-1].round == first + 2
    went_on = scenario({**target, "target": {"accuracy": 0.5, "stop_after": "never"}})
    rows = simulate(went_on, 0, StubTrainer(down_bytes=1, up_bytes=1, best=0.8, tau=2.0))
    assert of(Round, rows)[-1].round == 50


def test_by_the_mean_of_three_it_stops_some_evaluations_past_that_one():
    # 0.8 (1 - e^(-t/2)): 0.506 after 2 rounds; the mean of rounds 1 to 3 is 0.461, of 2 to 4 0.606.
    target = {"target": {"accuracy": 0.5, "rule": "mean3", "stop_after": 2}, "rounds": 50}
    rows = simulate(scenario(target), 0, StubTrainer(down_bytes=1, up_bytes=1, best=0.8, tau=2.0))
    assert of(Round, rows)[-1].round == 4 + 2


def test_evaluations_come_every_so_often_and_last():
    rows = simulate(
        scenario({"rounds": 7, "evaluation": {"every": 3, "test": True}}),
        0,
        StubTrainer(down_bytes=1, up_bytes=1),
    )
    found = [(e.round, e.split) for e in of(Evaluation, rows)]
    assert found == [(3, "validation"), (6, "validation"), (7, "validation"), (7, "test")]
