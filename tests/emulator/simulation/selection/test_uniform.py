"""Uniform and Poisson sampling against their distributions."""

import math

import numpy as np

from emulator.simulation.records import Transfer
from emulator.simulation.simulate import build_selector, simulate
from emulator.simulation.trainer import StubTrainer

from ..small_scenario import POISSON, of, scenario


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
