"""When the model is evaluated, and when a target ends the training."""

import math

import pytest

from emulator.common.errors import GivenUpError
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


def given_up(give_up_s, **more):
    """Rounds until it gives up, and the errors; the target is reached in round 2 of 10."""
    errors = []
    training = {"target": {"accuracy": 0.5, "stop_after": "never"}, "rounds": 10} | more
    trainer = StubTrainer(down_bytes=1, up_bytes=1, best=0.8, tau=2.0)
    rows = simulate(scenario(training), 0, trainer, stalled=errors.append, give_up_s=give_up_s)
    return of(Round, rows), errors


def test_it_gives_up_at_the_first_evaluation_after_the_time():
    (first, second, third, *_), _ = given_up(math.inf)
    late = (first.finish_s + second.finish_s) / 2  # the second round is in time
    rounds, (error,) = given_up(late, target={"accuracy": 0.7, "stop_after": "never"})
    assert [r.round for r in rounds] == [1, 2]
    assert isinstance(error, GivenUpError)
    assert "given up after" in error.message
    evaluated = {"every": 3}
    rounds, _ = given_up(0.0, target={"accuracy": 0.79, "stop_after": 0}, evaluation=evaluated)
    assert rounds[-1].finish_s == third.finish_s


def test_it_does_not_give_up_once_the_target_is_reached_or_at_the_last_round():
    (_, second, *_), _ = given_up(math.inf)
    rounds, errors = given_up(second.finish_s)
    assert (len(rounds), errors) == (10, [])
    rounds, errors = given_up(0.0, rounds=1)
    assert (len(rounds), errors) == (1, [])


def test_without_a_way_to_tell_it_giving_up_is_an_error():
    trainer = StubTrainer(down_bytes=1, up_bytes=1)
    with pytest.raises(GivenUpError):
        simulate(scenario({"target": {"accuracy": 0.9}}), 0, trainer, give_up_s=0.0)


def test_evaluations_come_every_so_often_and_last():
    rows = simulate(
        scenario({"rounds": 7, "evaluation": {"every": 3, "test": True}}),
        0,
        StubTrainer(down_bytes=1, up_bytes=1),
    )
    found = [(e.round, e.split) for e in of(Evaluation, rows)]
    assert found == [(3, "validation"), (6, "validation"), (7, "validation"), (7, "test")]


def test_the_test_split_may_be_part_of_each_evaluation():
    rows = simulate(
        scenario({"rounds": 4, "evaluation": {"every": 3, "test": "each"}}),
        0,
        StubTrainer(down_bytes=1, up_bytes=1),
    )
    found = [(e.round, e.split) for e in of(Evaluation, rows)]
    assert found == [(3, "validation"), (3, "test"), (4, "validation"), (4, "test")]
