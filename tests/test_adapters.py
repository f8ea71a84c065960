"""A saved model of each method, on real data: what PEFT loads scores as the ledger says."""

import runpy
from pathlib import Path

import pytest
import yaml

from emulator import api
from emulator.runner import inputs
from flasc.methods import METHODS

ROOT = Path(__file__).parent.parent
pytestmark = [pytest.mark.real, pytest.mark.xdist_group("adapters")]
SCENARIO = """\
name: adapters
task: {name: 20newsgroups, model: minilm, tokens: 32}
training:
  rounds: 2
  cohort: 2
  evaluation: {every: 2, examples: 50}
  server: {lr: 0.02}
methods:
  full: {kind: full, server_lr: 0.0001}
  head: {kind: head}
  lora: {kind: lora}
  ffa: {kind: ffa_lora}
  flasc: {kind: flasc, down: 1/4, up: 1/16}
  select: {kind: federated_select, density: 1/2}
  sparse: {kind: sparse_adapter, density: 1/4}
  lth: {kind: adapter_lth, gamma: 0.5, every: 1}
  tiers: {kind: flasc_tiers, tiers: [{share: 1, down: 1, up: 1}, {share: 1, down: 1/4, up: 1/4}]}
  ranks: {kind: rank_tiers, tiers: [{share: 1, rank: 16}, {share: 1, rank: 4}]}
  hetlora: {kind: het_lora, tiers: [{share: 1, rank: 16}, {share: 1, rank: 4}]}
network:
  server: {down: 1 Gbps, up: 1 Gbps}
  clients: {down: 20 Mbps, up: 5 Mbps}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters")
    (folder / "adapters.yaml").write_text(SCENARIO, "utf-8")
    api.run(folder / "adapters.yaml", folder / "run", folder / "recordings")
    return folder / "run"


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # PEFT 0.21 reads it
def test_peft_finds_the_ledgers_accuracy_for_every_method(run):
    scores = runpy.run_path(str(ROOT / "examples/adapters.py"))["scores"]
    kinds = {method.kind for method in inputs.read(run).scenario.methods.values()}
    assert kinds == {each.model_fields["kind"].annotation.__args__[0] for each in METHODS}
    losses = set()
    for name, (accuracy, loss), said in scores(run):
        assert loss == pytest.approx(said.loss, rel=1e-4), name
        assert accuracy == pytest.approx(said.accuracy, abs=0.0201), name  # one example of 50
        losses.add(said.loss)
    assert len(losses) == len(METHODS)  # and each model is another one


def test_the_card_of_each_model_names_its_base_and_its_library(run):
    for folder in (run / "models").iterdir():
        text = (folder / "README.md").read_text("utf-8")
        front = yaml.safe_load(text.split("---\n")[1])
        is_adapter = (folder / "adapter_config.json").exists()
        assert front["base_model"] == "minilm"
        assert front["library_name"] == ("peft" if is_adapter else "transformers")
        assert ("lora" in front["tags"]) == is_adapter
        assert "More Information Needed" not in text
