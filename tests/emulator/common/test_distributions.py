"""Quantile functions of distributions, and files of empirical values."""

import itertools
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import TypeAdapter, ValidationError

from emulator.common.distributions import (
    MAX_VALUES,
    DurationDistribution,
    LossDistribution,
    RateDistribution,
    ShareDistribution,
    SpeedDistribution,
    normal_cdf,
    normal_quantile,
    quantile,
)
from emulator.common.errors import ScenarioError
from emulator.runner import inputs

RATE = TypeAdapter(RateDistribution)
UNITS = {
    RateDistribution: "Mbps",
    DurationDistribution: "ms",
    LossDistribution: "%",
    ShareDistribution: "%",
    SpeedDistribution: "GFLOP/s",
}
U = np.linspace(0, 1, 1001)[1:-1]

NORMAL = {"kind": "normal", "mean": "5 Mbps", "sd": "4 Mbps"}
LAWS = [
    "5 Mbps",
    {"kind": "uniform", "low": "1 Mbps", "high": "9 Mbps"},
    NORMAL,
    {**NORMAL, "low": "4 Mbps", "high": "7 Mbps"},
    {"kind": "lognormal", "median": "5 Mbps", "sigma": 1.5},
    {"kind": "choice", "values": ["9 Mbps", "1 Mbps", "5 Mbps"], "weights": [1, 0, 2]},
    {"kind": "empirical", "values": ["3 Mbps", "1 Mbps", "2 Mbps"]},
]
every_law = pytest.mark.parametrize("law", LAWS, ids=str)


def rate(law):
    return RATE.validate_python(law)


# -- across processes


@pytest.mark.parametrize("law", LAWS[1:], ids=str)
def test_distributions_of_every_quantity_can_be_pickled(law):
    """Scenarios are pickled for workers: classes of different quantities have different names."""
    laws = []
    for kind, unit in UNITS.items():
        said = {key: _in_unit(value, unit) for key, value in law.items()}
        laws.append(TypeAdapter(kind).validate_python(said))
        assert pickle.loads(pickle.dumps(laws[-1])) == laws[-1]
    for one, other in itertools.combinations(laws, 2):
        assert type(one) is not type(other)


def _in_unit(value, unit):
    if isinstance(value, list):
        return [_in_unit(item, unit) for item in value]
    return value.replace("Mbps", unit) if isinstance(value, str) else value


# -- quantiles


@every_law
def test_a_draw_rises_with_its_uniform(law):
    values = quantile(rate(law), np.concatenate([[0], U, [1]]))
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (np.diff(values) >= 0).all()
    assert values.dtype == np.float64


@every_law
def test_nobody_draws_nothing(law):
    assert quantile(rate(law), np.empty(0)).shape == (0,)


def test_the_standard_normal_is_the_books():
    # NIST/SEMATECH e-Handbook 1.3.6.7.1: cumulative distribution of the standard normal.
    np.testing.assert_allclose(normal_cdf(np.array([0, 1.0, 1.96])), [0.5, 0.84134, 0.975], 1e-5)
    np.testing.assert_allclose(normal_quantile(np.array([0.025, 0.9])), [-1.95996, 1.28155], 1e-5)
    z = np.linspace(-8, 5, 100)
    np.testing.assert_allclose(normal_quantile(normal_cdf(z)), z, atol=1e-9)


def test_a_normal_far_from_its_bounds_is_a_normal():
    law = rate({"kind": "normal", "mean": "50 Mbps", "sd": "2 Mbps"})
    np.testing.assert_allclose(quantile(law, normal_cdf(np.array([-1, 0, 2]))), [48e6, 5e7, 54e6])


def test_a_cut_normal_has_the_closed_forms_mean():
    # Johnson, Kotz, Balakrishnan 1994, 13.10.1: mean of a normal cut at a and b.
    law = rate({**NORMAL, "low": "4 Mbps", "high": "11 Mbps"})
    a, b = (4 - 5) / 4, (11 - 5) / 4
    below, above = normal_cdf(np.array([a, b]))
    density = [math.exp(-x * x / 2) / math.sqrt(2 * math.pi) for x in (a, b)]
    mean = 5e6 + 4e6 * (density[0] - density[1]) / (above - below)
    middles = (np.arange(20_000) + 0.5) / 20_000
    assert quantile(law, middles).mean() == pytest.approx(mean, rel=1e-6)
    assert quantile(law, U).min() >= 4e6
    assert quantile(law, U).max() <= 11e6


def test_a_normal_is_never_below_zero():
    assert quantile(rate({"kind": "normal", "mean": "1 bps", "sd": "9 Mbps"}), U).min() >= 0


@given(st.lists(st.integers(1, 20), min_size=1, max_size=12), st.data())
def test_the_empirical_law_inverts_the_empirical_distribution(mbps, data):
    u = data.draw(st.floats(1e-9, 1 - 1e-9))
    law = rate({"kind": "empirical", "values": [f"{x} Mbps" for x in mbps]})
    drawn = quantile(law, np.array([u]))[0] / 1e6
    up_to = np.mean([x <= drawn for x in mbps])
    before = np.mean([x < drawn for x in mbps])
    assert before - 1e-12 <= u <= up_to + 1e-12


def test_equal_weights_are_an_empirical_law():
    values = ["9 Mbps", "1 Mbps", "5 Mbps", "5 Mbps"]
    choice, empirical = (rate({"kind": kind, "values": values}) for kind in ("choice", "empirical"))
    np.testing.assert_array_equal(quantile(choice, U), quantile(empirical, U))


def test_what_weighs_nothing_is_never_chosen():
    law = rate({"kind": "choice", "values": ["1 Mbps", "2 Mbps", "3 Mbps"], "weights": [0, 1, 0]})
    assert set(quantile(law, np.concatenate([[0], U, [1]]))) == {2e6}


# -- validation errors


@pytest.mark.parametrize(
    ("kind", "law", "message"),
    [
        (RateDistribution, {"kind": "uniform", "low": "2 Mbps", "high": "1 Mbps"}, "low first"),
        (RateDistribution, {**NORMAL, "low": "6 Mbps"}, "found mean 5e.06 with low 6e.06"),
        (RateDistribution, {**NORMAL, "high": "4 Mbps"}, "allowed: a mean between"),
        (RateDistribution, {**NORMAL, "sd": "0 Mbps"}, "above zero"),
        (DurationDistribution, {"kind": "normal", "mean": "5 ms", "sd": 0}, "found an sd of 0"),
        (LossDistribution, {"kind": "normal", "mean": "5 %", "sd": "60 %"}, "a loss from 0 to 0.5"),
        (
            ShareDistribution,
            {"kind": "uniform", "low": 0, "high": 1},
            "a number above 0, like 1/16",
        ),
        (RateDistribution, {"kind": "empirical", "values": []}, "at least 1"),
        (
            RateDistribution,
            {"kind": "empirical", "values": ["1 Mbps"] * (MAX_VALUES + 1)},
            "at most",
        ),
        (
            RateDistribution,
            {"kind": "empirical", "values": ["1 Mbps"], "unit": "Mbps"},
            "without a file",
        ),
        (
            RateDistribution,
            {"kind": "empirical", "values": ["1 Mbps"], "file": "x"},
            "both values and a f",
        ),
        (RateDistribution, {"kind": "empirical"}, "values"),
        (RateDistribution, {"kind": "empirical", "file": 5}, "file"),
    ],
)
def test_laws_that_cannot_be(kind, law, message):
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(kind).validate_python(law)


# -- files


def measured(tmp_path, content, **keys):
    (tmp_path / "x.csv").write_text(content, "utf-8")
    return {"kind": "empirical", "file": str(tmp_path / "x.csv"), **keys}


def test_values_come_from_a_file_with_units(tmp_path):
    law = rate(measured(tmp_path, "# made up\n20 Mbps\n\n 500 kbps # slow\n"))
    assert law.values == [20e6, 5e5]


def test_a_unit_is_put_behind_each_value(tmp_path):
    assert rate(measured(tmp_path, "20\n0.5\n", unit="Mbps")).values == [20e6, 5e5]
    loss = TypeAdapter(LossDistribution).validate_python(measured(tmp_path, "1\n2\n", unit="%"))
    assert loss.values == [0.01, 0.02]


def test_a_number_without_a_unit_is_one_where_none_is_needed(tmp_path):
    law = TypeAdapter(ShareDistribution).validate_python(measured(tmp_path, "0.25\n1/8\n2\n"))
    assert law.values == [0.25, 0.125, 2.0]


@pytest.mark.parametrize(
    ("content", "unit", "message"),
    [
        ("20 Mbps\n\nfast\n9\n", None, r"x\.csv:3: found 'fast'; allowed: a rate with its unit"),
        ("20\n", None, r"x\.csv:1: found 20; allowed: a rate with its unit"),
        ("1\n20 Mbps\n", "Mbps", r"x\.csv:2: found '20 Mbps Mbps'"),
        ("1 Mbps, 2 Mbps\n", None, r"x\.csv:1: found '1 Mbps, 2 Mbps'"),
        ("-1\n", "Mbps", r"x\.csv:1: found '-1 Mbps'; allowed: a rate above zero"),
        ("nan\n", None, r"x\.csv:1: found nan"),
        ("# nothing\n", None, "found 0 values in .*; allowed: 1 to 10,000, one per line"),
        ("1\n" * (MAX_VALUES + 1), "Mbps", "found 10,001 values"),
    ],
)
def test_a_bad_file_is_told_by_its_line(tmp_path, content, unit, message):
    with pytest.raises(ValidationError, match=message) as caught:
        rate(measured(tmp_path, content, unit=unit))
    assert caught.value.error_count() == 1


def test_a_missing_file_is_told_once(tmp_path):
    with pytest.raises(ValidationError, match=r"none\.csv: no such file") as caught:
        rate({"kind": "empirical", "file": str(tmp_path / "none.csv")})
    assert caught.value.error_count() == 1


SCENARIO = """\
name: small
task: {name: 20newsgroups, clients: 30}
training: {rounds: 4}
methods: {LoRA: {kind: lora}}
network:
  server: {down: 1 Gbps, up: 1 Gbps}
  clients: {down: {kind: empirical, file: data/x.csv}, up: 20 Mbps}
vary:
  links:
    as it is: {network.clients.rtt: 1 ms}
    other: {network.clients.down.file: ../y.csv}
    third: {network.clients.down: {kind: empirical, file: z.csv}}
"""


def test_a_file_is_found_beside_the_scenario_that_names_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in (("base/data/x", 1), ("y", 2), ("base/z", 3), ("here", 4)):
        path = Path(f"{name}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value} Mbps\n", "utf-8")
    Path("base/base.yaml").write_text(SCENARIO, "utf-8")
    Path("mine").mkdir()
    Path("mine/mine.yaml").write_text("extends: ../base/base.yaml\n", "utf-8")

    found = inputs.read(Path("mine/mine.yaml"))
    assert [v.network.clients.down.values for v in found.variants.values()] == [[1e6], [2e6], [3e6]]
    # Paths in overrides are relative to the working directory.
    here = inputs.read(Path("mine/mine.yaml"), ["network.clients.down.file=here.csv"])
    assert here.scenario.network.clients.down.values == [4e6]
    Path("base/data/x.csv").unlink()
    with pytest.raises(ScenarioError, match=r"base\.yaml:7: network\.clients\.down: .*: no such"):
        inputs.read(Path("mine/mine.yaml"))
