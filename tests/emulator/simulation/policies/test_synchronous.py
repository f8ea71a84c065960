"""Closed forms: the duration of a synchronous round where arithmetic can tell it."""

import pytest

from emulator.simulation.records import Computation, Round, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

from ..small_scenario import POISSON, of, scenario

pytestmark = pytest.mark.parametrize(
    "simulation", [{"engine": "reference"}, {"engine": "compiled"}]
)


def test_equal_clients_on_wide_server_links_take_the_sum_of_the_parts(simulation):
    trainer = StubTrainer(down_bytes=100_000, up_bytes=20_000, examples=32, steps=2)
    rows = simulate(scenario(compute={"per_example": "10 ms"}, simulation=simulation), 0, trainer)
    one = 0.05 + 100_000 / 1e6 + 32 * 0.01 + 0.05 + 20_000 / 1e5
    rounds = of(Round, rows)
    assert [r.round for r in rounds] == [1, 2, 3, 4]
    for number, r in enumerate(rounds):
        assert r.start_s == pytest.approx(number * one, rel=1e-12)
        assert r.finish_s == pytest.approx((number + 1) * one, rel=1e-12)


def test_a_narrow_server_is_shared_by_the_cohort(simulation):
    narrow = {"server": {"down": "1.6 Mbps", "up": "8 Mbps"}}
    trainer = StubTrainer(down_bytes=100_000, up_bytes=20_000)
    rows = simulate(scenario(network=narrow, simulation=simulation), 0, trainer)
    # Ten clients: the server sends 1 MB through 1 MB/s and receives 200 kB through 200 kB/s.
    assert of(Round, rows)[0].finish_s == pytest.approx(0.1 + 1.0 + 1.0, rel=1e-12)


def test_each_client_goes_one_step_after_the_other(simulation):
    rows = simulate(
        scenario(
            compute={"per_example": {"kind": "uniform", "low": "1 ms", "high": "50 ms"}},
            simulation=simulation,
        ),
        0,
        StubTrainer(down_bytes=5_000, up_bytes=5_000),
    )
    for r in of(Round, rows):
        downs, ups = (
            {t.client: t for t in of(Transfer, rows) if (t.round, t.direction) == (r.round, d)}
            for d in ("down", "up")
        )
        computations = {c.client: c for c in of(Computation, rows) if c.round == r.round}
        assert len(downs) == len(ups) == len(computations) == r.cohort
        for client, down in downs.items():
            assert down.start_s == r.start_s
            assert down.finish_s == computations[client].start_s
            assert computations[client].finish_s == ups[client].start_s
        assert max(up.finish_s for up in ups.values()) == r.finish_s


def test_a_round_of_nobody_takes_no_time_and_still_steps(simulation):
    told = []

    class Listening(StubTrainer):
        def aggregate(self, uploads, weights):
            told.append(list(weights))
            super().aggregate(uploads, weights)

    training = {"dp": POISSON, "cohort": 1, "rounds": 40}
    rows = simulate(
        scenario(training, simulation=simulation), 0, Listening(down_bytes=100, up_bytes=100)
    )
    rounds = of(Round, rows)
    empty = [r for r in rounds if r.cohort == 0]
    assert [r.used for r in rounds] == [r.cohort for r in rounds]
    assert len(rounds) == 40
    assert 5 <= len(empty) <= 25  # about 40 (29/30)^30 = 14.5
    assert all(r.start_s == r.finish_s for r in empty)
    assert 2 * sum(r.cohort for r in rounds) == len(of(Transfer, rows))
    # A sum is divided by what is expected, for how many came is private.
    assert told == [[1.0] * r.cohort for r in rounds]
