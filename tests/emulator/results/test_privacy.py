"""Epsilon against closed forms, against the accountant asked directly, and as it is printed."""

import math
import sys
from dataclasses import replace
from statistics import NormalDist

import dp_accounting
import pytest
from dp_accounting import pld, rdp

from emulator.common.errors import LedgerError, SupportError
from emulator.reports import run_report as results, terminal
from emulator.reports.export import json_csv
from emulator.reports.page import page
from emulator.results.ledger import Ledger
from emulator.results.metrics import outcome
from emulator.results.privacy import Account, epsilon
from emulator.runner import inputs, metadata, run
from emulator.runner.check import plan
from emulator.runner.executors import Local
from emulator.simulation.records import Emulation
from emulator.simulation.simulate import simulate
from emulator.simulation.target import Goal
from emulator.simulation.trainer import StubTrainer

NEIGHBOURS = dp_accounting.NeighboringRelation
FIXED = Account(noise=1.0, delta=1e-5, sampling="fixed", clients=350, cohort=10)
POISSON = replace(FIXED, sampling="poisson")
everyone = pytest.mark.parametrize("noise", [0.7, 1.0, 3.0])


def gaussian_epsilon(noise, delta):
    """Balle and Wang 2018 (arXiv 1805.06530), theorem 8, for noise / sensitivity; by bisection."""
    cdf = NormalDist().cdf
    low, high = 0.0, 500.0
    for _ in range(100):
        eps = (low + high) / 2
        a, b = 1 / (2 * noise), eps * noise
        found = cdf(a - b) - math.exp(eps) * cdf(-a - b)
        low, high = (eps, high) if found > delta else (low, eps)
    return high


@everyone
def test_with_everyone_in_poisson_is_the_exact_gaussian_mechanism(noise):
    got = epsilon(replace(POISSON, cohort=350, noise=noise), 1)
    assert got == pytest.approx(gaussian_epsilon(noise, 1e-5), rel=0.002)


@everyone
def test_with_everyone_in_fixed_counts_a_replaced_client_twice(noise):
    """One client in place of another moves the sum by two bounds: sensitivity 2, noise / 2."""
    got = epsilon(replace(FIXED, cohort=350, noise=noise), 1)
    exact = gaussian_epsilon(noise / 2, 1e-5)
    assert exact <= got <= 1.25 * exact  # Renyi's conversion is loose
    once = rdp.RdpAccountant(neighboring_relation=NEIGHBOURS.REPLACE_ONE)
    event = dp_accounting.GaussianDpEvent(noise)
    assert once.compose(event).get_epsilon(1e-5) < exact  # what forgetting it would claim


@pytest.mark.parametrize("rounds", [1, 36])
def test_it_is_the_accountants_own(rounds):
    noise, sampled = 1.2, dp_accounting.GaussianDpEvent
    event = dp_accounting.SampledWithoutReplacementDpEvent(350, 10, sampled(noise / 2))
    theirs = rdp.RdpAccountant(neighboring_relation=NEIGHBOURS.REPLACE_ONE)
    theirs.compose(dp_accounting.SelfComposedDpEvent(event, rounds))
    assert epsilon(replace(FIXED, noise=noise), rounds) == theirs.get_epsilon(1e-5)
    event = dp_accounting.PoissonSampledDpEvent(10 / 350, sampled(noise))
    theirs = pld.PLDAccountant(value_discretization_interval=1e-4)
    theirs.compose(dp_accounting.SelfComposedDpEvent(event, rounds))
    ours = epsilon(replace(POISSON, noise=noise), rounds)
    assert ours == pytest.approx(theirs.get_epsilon(1e-5), rel=1e-3)


@pytest.mark.parametrize("account", [FIXED, POISSON], ids=lambda a: a.sampling)
def test_more_noise_and_fewer_rounds_are_more_private(account):
    at = epsilon(account, 30)
    assert epsilon(account, 0) == 0.0 < epsilon(account, 10) < at
    assert epsilon(replace(account, noise=2.0), 30) < at
    assert epsilon(replace(account, delta=1e-7), 30) > at
    assert epsilon(replace(account, cohort=40), 30) > at


def test_without_the_library_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    with pytest.raises(SupportError, match="found no accountant") as error:
        epsilon(FIXED, 3)
    assert "flasc-emu[dp]" in error.value.hint


# -- as it is printed


@pytest.fixture
def private(scenario):
    """The small study with privacy, and a variant with more noise."""
    path = scenario()
    text = path.read_text()
    dp = "  dp: {clip: 1.0, noise: 1.0, delta: 1e-4, sampling: poisson}\n"
    text = text.replace("  target:", dp + "  target:")
    text = text.split("vary:")[0]
    path.write_text(text + "vary:\n  noise: {less: {}, more: {training.dp.noise: 2.0}}\n")
    return inputs.read(path)


def test_a_scenario_has_an_account_where_it_has_privacy(private, scenario):
    accounts = [metadata.privacy_account(variant) for variant in private.variants.values()]
    less = Account(noise=1.0, delta=1e-4, sampling="poisson", clients=30, cohort=3)
    assert accounts == [less, replace(less, noise=2.0)]
    plain = inputs.read(scenario())
    assert not any(map(metadata.privacy_account, plain.variants.values()))
    assert metadata.describe(plain).privacy is None


def test_check_prints_it(private, tmp_path):
    lines = [line for line in plan(private, tmp_path) if line.startswith("privacy: ")]
    accounts = [metadata.privacy_account(variant) for variant in private.variants.values()]
    assert lines == [
        f"privacy: epsilon {epsilon(account, 4):.3g} at delta 0.0001 after 4 rounds "
        f"(noise {account.noise:g}, 3 of 30 clients by Poisson sampling)"
        for account in accounts
    ]


def test_a_run_that_cannot_account_does_not_begin(private, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    with pytest.raises(SupportError, match="found no accountant"):
        run.run(private, tmp_path / "out", None, engine=Local(1))
    assert not (tmp_path / "out").exists()


@pytest.fixture
def reported(private, tmp_path):
    """Emulated with the stub, which passes 20 % in round 3, and read from its ledger."""
    with Ledger.create(tmp_path / "ledger.sqlite", metadata.describe(private).to_meta()) as ledger:
        for method in private.methods:
            for label, variant in private.variants.items():
                trainer = StubTrainer(down_bytes=90, up_bytes=9)
                ledger.write(Emulation(method, label, 0), simulate(variant, 0, trainer))
        return results.load(ledger)


def test_reports_have_it_until_the_target_and_at_the_end(reported, private):
    for label, variant in private.variants.items():
        account = metadata.privacy_account(variant)
        (found,) = reported.of("LoRA", label)
        assert found.delta == 1e-4
        assert found.rounds_to_target == 3
        assert found.epsilon_to_target == epsilon(account, 3)
        assert found.epsilon == epsilon(account, 4)
        summary = reported.summary("LoRA", label)
        assert (summary.epsilon.median, summary.delta) == (found.epsilon, 1e-4)
        text = f"{found.epsilon_to_target:.3g} / {found.epsilon:.3g}"
        assert terminal.facts(summary)["ε / end"] == text
        assert f"ε {text}" in "\n".join(terminal.method_lines([summary]))
        assert f">{found.epsilon:.3g}</td>" in page.html(reported)
    assert "at δ = 0.0001" in terminal.caption(reported)
    assert '"epsilon_to_target": ' in json_csv.to_json(reported.outcomes)


def test_a_target_never_reached_has_no_epsilon_of_its_own(private):
    rows = simulate(private.variants["less"], 0, StubTrainer(down_bytes=9, up_bytes=9, best=0.1))
    found = outcome(Emulation("LoRA", "less", 0), rows, Goal(0.2), account=POISSON)
    assert found.epsilon_to_target is None
    assert found.epsilon == epsilon(POISSON, 4)


@pytest.mark.parametrize("text", ["[]", "{", '{"less": {"noise": 1}}', '{"less": 3}'])
def test_an_account_that_is_none_is_said(tmp_path, text):
    with (
        Ledger.create(tmp_path / "ledger.sqlite", {"privacy": text}) as ledger,
        pytest.raises(LedgerError, match="privacy"),
    ):
        results.load(ledger)
