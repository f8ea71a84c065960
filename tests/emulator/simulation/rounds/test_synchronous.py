"""Closed forms: what a synchronous round costs when arithmetic can say it."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from emulator.scenario.scenario import Scenario
from emulator.simulation.records import Computation, Evaluation, Round, Transfer
from emulator.simulation.simulate import build_selector, simulate
from emulator.simulation.trainer import StubTrainer


def scenario(training=None, network=None, **keys):
    clients = {"down": "8 Mbps", "up": "0.8 Mbps", "rtt": "100 ms"}
    return Scenario.model_validate(
        {
            "name": "closed-form",
            "task": {"name": "20newsgroups", "clients": 30},
            "training": {"rounds": 4, "cohort": 10, **(training or {})},
            "methods": {"LoRA": {"kind": "lora"}},
            "network": {
                "server": {"down": "1 Gbps", "up": "1 Gbps"},
                "clients": clients,
                "transport": "fluid",
                **(network or {}),
            },
            **keys,
        }
    )


def of(kind, rows):
    return [row for row in rows if isinstance(row, kind)]


def test_equal_clients_on_wide_server_links_take_the_sum_of_the_parts():
    trainer = StubTrainer(down_bytes=100_000, up_bytes=20_000, examples=32, steps=2)
    rows = simulate(scenario(compute={"per_example": "10 ms"}), 0, trainer)
    one = 0.05 + 100_000 / 1e6 + 32 * 0.01 + 0.05 + 20_000 / 1e5
    rounds = of(Round, rows)
    assert [r.round for r in rounds] == [1, 2, 3, 4]
    for number, r in enumerate(rounds):
        assert r.start_s == pytest.approx(number * one, rel=1e-12)
        assert r.finish_s == pytest.approx((number + 1) * one, rel=1e-12)


def test_a_narrow_server_is_shared_by_the_cohort():
    narrow = {"server": {"down": "1.6 Mbps", "up": "8 Mbps"}}
    trainer = StubTrainer(down_bytes=100_000, up_bytes=20_000)
    rows = simulate(scenario(network=narrow), 0, trainer)
    # Ten clients: the server sends 1 MB through 1 MB/s and receives 200 kB through 200 kB/s.
    assert of(Round, rows)[0].finish_s == pytest.approx(0.1 + 1.0 + 1.0, rel=1e-12)


def test_each_client_goes_one_step_after_the_other():
    rows = simulate(
        scenario(compute={"per_example": {"kind": "uniform", "low": "1 ms", "high": "50 ms"}}),
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


def test_it_stops_some_evaluations_past_the_target():
    # accuracy = 0.8 (1 - e^(-t/2)) passes 0.5 in round 2, so 2 more evaluations end in round 4.
    first = math.ceil(-2 * math.log(1 - 0.5 / 0.8))
    target = {"target": {"accuracy": 0.5, "stop_after": 2}, "rounds": 50}
    rows = simulate(scenario(target), 0, StubTrainer(down_bytes=1, up_bytes=1, best=0.8, tau=2.0))
    assert of(Round, rows)[-1].round == first + 2
    went_on = scenario({**target, "target": {"accuracy": 0.5, "stop_after": "never"}})
    rows = simulate(went_on, 0, StubTrainer(down_bytes=1, up_bytes=1, best=0.8, tau=2.0))
    assert of(Round, rows)[-1].round == 50


def test_evaluations_come_every_so_often_and_last():
    rows = simulate(
        scenario({"rounds": 7, "evaluation": {"every": 3, "test": True}}),
        0,
        StubTrainer(down_bytes=1, up_bytes=1),
    )
    found = [(e.round, e.split) for e in of(Evaluation, rows)]
    assert found == [(3, "validation"), (6, "validation"), (7, "validation"), (7, "test")]


def test_the_cohort_depends_on_the_seed_and_never_repeats_a_client():
    def cohorts(seed):
        rows = simulate(scenario(), seed, StubTrainer(down_bytes=1, up_bytes=1))
        return [[t.client for t in of(Transfer, rows) if t.round == n and t.direction == "down"]
                for n in range(1, 5)]  # fmt: skip

    assert all(len(set(cohort)) == 10 for cohort in cohorts(0))
    assert cohorts(0) == cohorts(0) != cohorts(1)


def draw(scenario, seed, number):
    chooses = build_selector(scenario, seed)
    return chooses.select(number, np.arange(30), scenario.training.cohort)


POISSON = {"clip": 1.0, "noise": 1.0, "delta": 1e-5, "sampling": "poisson"}


def test_poisson_sampling_takes_each_client_by_itself():
    """Sizes of Binomial(30, 1/3): mean 10, variance 20 / 3, over 400 rounds."""
    private = scenario({"dp": POISSON})
    cohorts = [draw(private, 0, number) for number in range(400)]
    sizes = np.array([len(cohort) for cohort in cohorts])
    assert abs(sizes.mean() - 10) < 4 * math.sqrt(20 / 3 / 400)
    assert 0.75 < sizes.var() / (20 / 3) < 1.25
    shares = np.bincount(np.concatenate(cohorts), minlength=30) / 400
    assert (abs(shares - 1 / 3) < 4.5 * math.sqrt(2 / 9 / 400)).all()
    assert all(len(set(cohort)) == len(cohort) for cohort in cohorts)


def test_fixed_sampling_is_the_same_with_privacy_as_without():
    plain, private = (scenario(t) for t in ({}, {"dp": POISSON | {"sampling": "fixed"}}))
    assert [draw(plain, 1, n).tolist() for n in range(5)] == [
        draw(private, 1, n).tolist() for n in range(5)
    ]


def test_a_round_of_nobody_takes_no_time_and_still_steps():
    told = []

    class Listening(StubTrainer):
        def aggregate(self, uploads, weights):
            told.append(list(weights))
            super().aggregate(uploads, weights)

    training = {"dp": POISSON, "cohort": 1, "rounds": 40}
    rows = simulate(scenario(training), 0, Listening(down_bytes=100, up_bytes=100))
    rounds = of(Round, rows)
    empty = [r for r in rounds if r.cohort == 0]
    assert [r.used for r in rounds] == [r.cohort for r in rounds]
    assert len(rounds) == 40
    assert 5 <= len(empty) <= 25  # about 40 (29/30)^30 = 14.5
    assert all(r.start_s == r.finish_s for r in empty)
    assert 2 * sum(r.cohort for r in rounds) == len(of(Transfer, rows))
    # A sum is divided by what is expected, for how many came is private.
    assert told == [[1.0] * r.cohort for r in rounds]


@pytest.mark.parametrize(
    "keys",
    [
        {"policy": {"kind": "deadline", "deadline": "9 s"}},
        {"selection": "oort"},
        {"compute": {"max_rank": 8}},
        {"methods": {"H": {"kind": "het_lora", "tiers": [{"share": 1, "rank": 2}]}}},
        {"methods": {"S": {"kind": "sparse_adapter", "density": 0.5, "score": "snip"}}},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_privacy_goes_with_what_its_account_is_of(keys):
    with pytest.raises(ValidationError, match=r"found it with"):
        scenario({"dp": POISSON}, **keys)


def test_privacy_goes_with_clients_that_are_always_there():
    link = {"down": "8 Mbps", "up": "1 Mbps"}
    leaving = {"clients": link | {"availability": {"kind": "on_off", "on": "9 s", "off": "1 s"}}}
    with pytest.raises(ValidationError, match=r"found it with clients that leave"):
        scenario({"dp": POISSON}, leaving)


def test_charging_values_alone_is_cheaper():
    class Padded(StubTrainer):
        def download(self, client):
            message = super().download(client)
            return type(message)(client, message.nbytes + 50, message.nbytes)

    rows = simulate(scenario(), 0, Padded(down_bytes=100, up_bytes=100))
    assert {t.nbytes for t in of(Transfer, rows) if t.direction == "down"} == {150}
    rows = simulate(scenario(network={"charge": "values"}), 0, Padded(down_bytes=100, up_bytes=100))
    assert {t.nbytes for t in of(Transfer, rows) if t.direction == "down"} == {100}
