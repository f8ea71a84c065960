"""Scores of configurations, and the times that are expected of those not measured yet."""

import math
from dataclasses import replace

import pytest

from emulator.results.metrics import outcome
from emulator.runner.search.lattice import Point
from emulator.runner.search.trial import Forecast, Trial
from emulator.scenario.scenario import Scenario
from emulator.simulation.records import Emulation
from emulator.simulation.simulate import simulate
from emulator.simulation.target import Goal
from emulator.simulation.trainer import StubTrainer

DATA = {
    "name": "forecast",
    "task": {"name": "20newsgroups", "clients": 30},
    "training": {"rounds": 20, "target": {"accuracy": 0.5}, "evaluation": {"every": 2}},
    "methods": {"FLASC": {"kind": "flasc", "down": "1/4", "up": "1/4"}},
}
HERE = Point(16, 0.25, 0.25)


def scenario(up):
    server = {"down": "1 Gbps", "up": "1 Gbps"}
    clients = {"down": "20 Mbps", "up": up, "rtt": "40 ms"}
    return Scenario.model_validate(DATA | {"network": {"server": server, "clients": clients}})


def measured(settings, point, rounds_as=HERE):
    """A trial with messages of 1 MB times the density; `rounds_as` decides how fast it learns."""
    tau = 4 / (rounds_as.down * rounds_as.up) ** 0.25
    sizes = {"down_bytes": int(1e6 * point.down), "up_bytes": int(1e6 * point.up)}
    rows = simulate(settings, 0, StubTrainer(best=0.9, tau=tau, **sizes))
    return Trial("FLASC", point, (outcome(Emulation("FLASC", "", 0), rows, Goal(0.5)),))


@pytest.mark.parametrize("up", ["20 Mbps", "1 Mbps"])
@pytest.mark.parametrize("to", [HERE._replace(up=0.0625), HERE._replace(down=0.0625)])
def test_a_sparser_neighbour_is_expected_to_need_as_many_rounds(up, to):
    """The least times of rounds are exact here, so the expected time is that of a simulation."""
    settings = scenario(up)
    expected = Forecast(settings).seconds(measured(settings, HERE), to)
    assert expected == pytest.approx(measured(settings, to).times_s[0], rel=0.01)


def test_a_denser_neighbour_is_expected_to_need_an_evaluation_less():
    settings, to = scenario("1 Mbps"), HERE._replace(up=1)
    expected = Forecast(settings).seconds(measured(settings, HERE), to)
    same = measured(settings, to)
    rounds = same.outcomes[0].rounds_to_target
    assert expected == pytest.approx(same.times_s[0] * (rounds - 2) / rounds, rel=0.01)


def test_the_order_follows_the_slow_direction():
    sparser = [HERE._replace(up=0.0625), HERE._replace(down=0.0625)]
    orders = []
    for settings in (scenario("1 Mbps"), scenario("400 Mbps")):
        here, forecast = measured(settings, HERE), Forecast(settings)
        orders.append(sorted(sparser, key=lambda to: forecast.seconds(here, to)))
    assert orders == [sparser, sparser[::-1]]


def test_a_rank_scales_both_directions():
    settings = scenario("1 Mbps")
    here, forecast = measured(settings, HERE), Forecast(settings)
    as_sparse = forecast.seconds(here, Point(16, 0.0625, 0.0625))
    assert forecast.seconds(here, HERE._replace(rank=4)) == pytest.approx(as_sparse)


def test_a_target_that_was_not_reached_is_expected_from_the_whole_run():
    settings = scenario("1 Mbps")
    slow = measured(settings, HERE, rounds_as=Point(16, 1e-4, 1e-4))
    assert not slow.reached
    to = HERE._replace(up=0.0625)
    whole_s = measured(settings, to, rounds_as=Point(16, 1e-4, 1e-4)).outcomes[0].duration_s
    assert Forecast(settings).seconds(slow, to) == pytest.approx(whole_s, rel=0.01)


def test_scores_count_seeds_that_never_reached_it_and_sum_the_others():
    settings = scenario("1 Mbps")
    reached = measured(settings, HERE).outcomes[0]
    never = replace(reached, time_to_target_s=None, best_accuracy=0.4)
    time_s = reached.time_to_target_s
    assert Trial("", HERE, (reached, reached)).score(2) == (0, 2 * time_s, 0)
    assert Trial("", HERE, (reached, never)).score(2) == (1, time_s, 0)
    assert Trial("", HERE, (never, never)).score(2) == (2, 0, 0.6)
    assert Trial("", HERE, (), problem="diverged").score(2) == (2, 0, math.inf)
