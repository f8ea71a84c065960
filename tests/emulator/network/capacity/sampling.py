"""Samples of what is drawn, and their means."""

import math

import numpy as np


def draws(function, n=2000):
    return np.array([function(np.random.default_rng([7, i])) for i in range(n)])


def assert_mean(sample, expected):
    assert abs(sample.mean() - expected) < 4 * sample.std(ddof=1) / math.sqrt(len(sample))
