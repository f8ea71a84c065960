"""What a ledger says of its study: densities that compare, and rates as the fleet draws them."""

import json

import numpy as np
import pytest

from emulator.results.metadata import RunMetadata, Setting
from emulator.runner import inputs, metadata
from emulator.simulation.clients import fleet

FLEET = """\
name: toy
task: {name: 20newsgroups, clients: 300}
training: {rounds: 4, cohort: 3, seeds: [7, 8]}
methods:
  LoRA: {kind: lora}
  LoRA r4: {kind: lora, rank: 4}
  head: {kind: head}
  FLASC: {kind: flasc, down: 1/4, up: 1/16}
  falling: {kind: flasc, down: 1/4, up: 1/4, gamma: 1/2}
  sparse: {kind: sparse_adapter, density: 1/8}
network:
  server: {down: 1 Gbps, up: 1 Gbps}
  groups:
    fibre: {share: 1/3, down: 80 Mbps, up: 8 Mbps}
    phone: {share: 2/3, down: {kind: lognormal, median: 30 Mbps, sigma: 1}, up: 4 Mbps}
vary:
  fibre: {a: {network.groups.fibre.up: 8 Mbps}, b: {network.groups.fibre.up: 16 Mbps}}
"""


@pytest.fixture
def found(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(FLEET, "utf-8")
    return inputs.read(path)


def test_densities_that_are_swept_are_left_out_and_the_numbers_are_kept(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(FLEET + "  methods.FLASC.up: [1/4, 1/64]\n", "utf-8")
    swept = inputs.read(path)
    assert metadata.densities(swept) == {"LoRA": (1, 1), "sparse": (1 / 8, 1 / 8)}
    described = metadata.describe(swept)
    assert described.swept
    assert described.swept["b, up 1/64"] == (Setting("methods.FLASC.up", 1 / 64, "1", "up 1/64"),)


def test_a_study_without_sweeps_keeps_none(found):
    assert metadata.describe(found).swept is None


def test_densities_are_of_methods_that_differ_by_them_alone(found):
    assert metadata.densities(found) == {
        "LoRA": (1, 1), "FLASC": (1 / 4, 1 / 16), "sparse": (1 / 8, 1 / 8)
    }  # fmt: skip


def test_rates_are_quantiles_of_the_fleet(found):
    groups = metadata.fleets(found)
    assert list(groups) == ["a", "b"]
    fibre, phone = groups["a"]
    assert (fibre.name, fibre.clients, phone.clients) == ("fibre", 100, 200)
    assert (fibre.down_Bps, fibre.up_Bps) == ((1e7,), (1e6,))
    assert groups["b"][0].up_Bps == (2e6,)
    clients = fleet.draw_fleet(found.scenario.network, None, 300, 7)
    rates = clients.down_Bps[clients.group == 1]
    assert len(phone.down_Bps) == metadata.POINTS
    assert list(phone.down_Bps) == sorted(phone.down_Bps)
    for q, rate in zip((0, 0.5, 1), phone.down_Bps[::25], strict=True):
        assert rate == pytest.approx(np.quantile(rates, q), rel=1e-4)


def test_a_ledger_is_told(found):
    described = metadata.describe(found)
    meta = described.to_meta()
    assert json.loads(meta["densities"])["FLASC"] == [0.25, 0.0625]
    assert json.loads(meta["fleet"])["b"][0]["up_Bps"] == [2e6]
    assert not meta.keys() & {"target", "privacy", "provenance"}
    assert RunMetadata.from_meta(meta) == described
