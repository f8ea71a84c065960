"""Student's t against published tables; exact tests by count."""

import math
import statistics
from itertools import product

import pytest
from hypothesis import given, strategies as st

from emulator.results.statistics import holm, paired, sign_test, unpaired

FLOATS = st.floats(-100, 100).map(lambda x: round(x, 3))


@pytest.mark.parametrize(
    ("df", "t"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (9, 2.262), (30, 2.042)],
)
def test_critical_values_are_the_tables(df, t):
    values = [float(i) for i in range(df + 1)]
    effect = paired(values)
    error = statistics.stdev(values) / math.sqrt(df + 1)
    # NIST/SEMATECH e-Handbook, 1.3.6.7.2
    assert (effect.high - effect.mean) / error == pytest.approx(t, abs=5e-4)


def test_one_degree_of_freedom_is_the_cauchy_distribution():
    assert paired([0.0, 2.0]).p == pytest.approx(0.5)  # t = 1
    assert paired([-1.0, 1.0]).p == 1


@given(st.lists(FLOATS, min_size=2, max_size=8), FLOATS)
def test_a_band_moves_with_what_is_added_and_turns_with_the_sign(values, shift):
    effect, moved = paired(values), paired([v + shift for v in values])
    assert effect.low <= effect.mean <= effect.high
    assert moved.low - shift == pytest.approx(effect.low, abs=1e-6)
    assert paired([-v for v in values]).high == pytest.approx(-effect.low, abs=1e-9)
    assert (effect.p <= 0.05) == (not effect.low <= 0 <= effect.high) or effect.p == pytest.approx(
        0.05, abs=1e-6
    )


def test_students_own_example():
    # Student (1908), table of sleep: additional hours by two drugs, ten patients.
    a = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    b = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    effect = paired([y - x for x, y in zip(a, b, strict=True)])
    assert effect == pytest.approx((1.58, 0.7001, 2.4599, 0.002833), abs=1e-4)
    loose = unpaired(b, a)
    assert loose.mean == pytest.approx(1.58)
    assert loose.p == pytest.approx(0.0794, abs=1e-3)  # R's t.test, whose df is 17.8
    assert loose.high - loose.low > effect.high - effect.low


def test_no_spread_is_certain_and_no_difference_is_none():
    assert paired([2.0, 2.0]) == (2, 2, 2, 0)
    assert paired([0.0, 0.0]).p == 1
    assert unpaired([1.0, 1.0], [1.0, 1.0]).p == 1


@given(st.integers(0, 6), st.integers(0, 6))
def test_the_sign_test_counts_outcomes(wins, losses):
    n = wins + losses
    extreme = [abs(sum(signs)) >= abs(wins - losses) for signs in product((-1, 1), repeat=n)]
    assert sign_test(wins, losses) == pytest.approx(sum(extreme) / len(extreme))


def test_five_of_five_are_not_enough_and_six_are():
    assert sign_test(5, 0) == pytest.approx(0.0625)
    assert sign_test(6, 0) == pytest.approx(0.03125)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_raises_and_keeps_the_order(ps):
    adjusted = holm(ps)
    assert all(p <= q <= 1 for p, q in zip(ps, adjusted, strict=True))
    assert min(adjusted) == pytest.approx(min(1, min(ps) * len(ps)))
    for i, j in product(range(len(ps)), repeat=2):
        assert ps[i] > ps[j] or adjusted[i] <= adjusted[j]


def test_holms_steps():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
