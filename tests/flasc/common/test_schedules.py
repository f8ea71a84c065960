"""Schedules against their formulas."""

import math

import pytest
from hypothesis import given, strategies as st
from pydantic import TypeAdapter, ValidationError

from flasc.common.schedules import Schedule

read = TypeAdapter(Schedule).validate_python
STEPS = st.integers(0, 10_000)


@given(STEPS)
def test_constant_is_exactly_one(step):
    assert read("constant").factor(step) == read({}).factor(step) == 1.0


@given(STEPS, st.floats(1e-6, 100))
def test_inverse_is_its_formula(step, decay):
    schedule = read({"kind": "inverse", "decay": decay})
    assert schedule.factor(step) == pytest.approx(1 / (1 + decay * step))


@given(STEPS, st.integers(1, 5_000), st.floats(0, 1))
def test_cosine_is_its_formula_and_then_its_end(step, rounds, final):
    factor = read({"kind": "cosine", "rounds": rounds, "final": final}).factor(step)
    inside = final + (1 - final) * math.cos(math.pi * step / (2 * rounds)) ** 2
    assert factor == pytest.approx(inside if step < rounds else final, abs=1e-12)


def test_cosine_by_hand():
    schedule = read({"kind": "cosine", "rounds": 4, "final": "20 %"})
    found = [schedule.factor(step) for step in range(6)]
    assert found == pytest.approx(
        [1, 0.6 + 0.4 / math.sqrt(2), 0.6, 0.6 - 0.4 / math.sqrt(2), 0.2, 0.2]
    )


@given(STEPS, st.integers(1, 5_000))
def test_a_warm_up_is_linear_and_multiplies_each_kind(step, warmup):
    for plain in (
        {"kind": "constant"},
        {"kind": "inverse", "decay": 0.1},
        {"kind": "cosine", "rounds": 50, "final": 0.1},
    ):
        warmed = read({**plain, "warmup": warmup}).factor(step)
        expected = min(1.0, (step + 1) / warmup) * read(plain).factor(step)
        assert warmed == pytest.approx(expected, abs=1e-15)


@given(st.integers(1, 5_000))
def test_a_warm_up_ends_in_its_last_round(warmup):
    schedule = read({"warmup": warmup})
    assert schedule.factor(0) == 1 / warmup
    assert schedule.factor(warmup - 1) == schedule.factor(warmup) == 1.0


@pytest.mark.parametrize(
    "bad",
    [
        "inverse",  # without its decay
        {"kind": "inverse", "decay": 0},
        {"kind": "cosine", "rounds": 0},
        {"kind": "cosine", "rounds": 3, "final": 1.5},
        {"kind": "cosine", "rounds": 3, "final": -0.5},
        {"kind": "constant", "warmup": -1},
        {"kind": "linear"},
        3,
    ],
)
def test_impossible_schedules_are_refused(bad):
    with pytest.raises(ValidationError):
        read(bad)
