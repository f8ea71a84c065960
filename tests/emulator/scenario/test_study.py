"""Variants and trainings of studies, and their validation errors."""

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.common.errors import ScenarioError
from emulator.runner import inputs
from emulator.scenario import study
from emulator.scenario.scenario import Scenario

ROOT = Path(__file__).parents[3]
GOOD = """\
name: small
task: {name: 20newsgroups, clients: 30}
training:
  rounds: 4
  cohort: 10
  seeds: [0, 1]
methods:
  LoRA: {kind: lora}
  FLASC 1/4: {kind: flasc, down: 1/4, up: 25 %}
network:
  server: {down: 1 Gbps, up: 1 Gbps}
  clients:
    down: 20 Mbps
    up: 20 Mbps
    rtt: 40 ms
vary:
  upload:
    slow: {network.clients.up: 5 Mbps}
    fast: {network.clients.up: 20 Mbps}
  rank:
    r4: {training.lora.rank: 4}
    r16: {training.lora.rank: 16}
"""


@pytest.fixture
def read(tmp_path):
    def write_and_read(text=GOOD, overrides=(), only=()):
        path = tmp_path / "x.yaml"
        path.write_text(textwrap.dedent(text), "utf-8")
        return inputs.read(path, overrides, only)

    return write_and_read


def test_variants_are_the_product_in_the_order_written(read):
    found = read()
    assert list(found.variants) == ["slow, r4", "slow, r16", "fast, r4", "fast, r16"]
    assert found.variants["slow, r4"].network.clients.up == 5e6
    assert found.variants["slow, r4"].training.lora.rank == 4
    assert found.scenario.network.clients.up == 20e6


def test_trainings_are_shared_by_variants_of_the_network_alone(read):
    trainings = read().trainings()
    # Two methods, two seeds, two ranks; uploads speeds share.
    assert len(trainings) == 8
    assert [list(t.variants) for t in trainings[:2]] == [
        ["slow, r4", "fast, r4"],
        ["slow, r16", "fast, r16"],
    ]


def test_a_methods_own_values_replace_the_training_sections(read):
    own = read(GOOD, ["methods.LoRA={kind: lora, rank: 2, client_lr: 0.3, server_lr: 1e-3}"])
    settings = own.scenario.training_settings("LoRA", 0)
    assert (settings.lora.rank, settings.client.lr, settings.server.lr) == (2, 0.3, 1e-3)
    same = read(GOOD, ["training.lora.rank=2", "training.client.lr=0.3", "training.server.lr=1e-3"])
    assert same.scenario.training_settings("LoRA", 0) == settings


def test_only_some_methods(read):
    assert {t.method for t in read(GOOD, only=["LoRA"]).trainings()} == {"LoRA"}
    with pytest.raises(ScenarioError, match="found no 'lora'; did you mean 'LoRA'"):
        read(GOOD, only=["lora"])


def test_without_vary_there_is_one_variant(read):
    assert list(read(GOOD, ["vary={}"]).variants) == [study.UNVARIED]


@pytest.mark.parametrize(
    ("found", "instead", "says"),
    [
        ("cohort: 10", "cohrt: 10", ["x.yaml:5", "training.cohrt", "unknown key", "'cohort'"]),
        ("up: 20 Mbps\n", "up: 20\n", ["x.yaml:14", "network.clients.up", "found 20", "Mbps"]),
        ("up: 20 Mbps\n", "up: -2 Mbps\n", ["x.yaml:14", "-2 Mbps", "above zero"]),
        ("rtt: 40 ms", "rtt: 40", ["x.yaml:15", "network.clients.rtt", "found 40", "40 ms"]),
        ("down: 1/4", "down: 0", ["x.yaml:9", "down", "found 0", "above 0"]),
        ("down: 1/4", "down: 1.5", ["x.yaml:9", "down", "found 1.5", "at most 1"]),
        ("down: 1/4", "down: 1/0", ["x.yaml:9", "down", "found '1/0'", "fraction"]),
        ("cohort: 10", "cohort: 31", ["31", "30", "at most all clients"]),
        ("cohort: 10", "cohort: ten", ["x.yaml:5", "training.cohort", "ten", "whole number"]),
        ("rounds: 4", "rounds: 0", ["x.yaml:4", "training.rounds", "0"]),
        ("kind: lora", "kind: lra", ["x.yaml:8", "lra", "'lora'", "sparse_adapter"]),
        ("  rounds: 4\n", "", ["training.rounds", "missing key"]),
        ("seeds: [0, 1]", "seeds: [0, 0]", ["x.yaml:6", "seeds", "each seed once"]),
        ("name: small", "name: ../../etc", ["x.yaml:1", "name", "../../etc"]),
        ("name: 20newsgroups", "name: 21newsgroups", ["x.yaml:2", "task.name", "20newsgroups"]),
        ("clients: 30", "clients: 30, model: bret", ["x.yaml:2", "task.model", "bret", "minilm"]),
        ("slow: {network.clients.up: 5 Mbps}", "slow: {network.clients.upp: 5 Mbps}",
         ["x.yaml:18", "network.clients.upp", "unknown key", "'up'"]),
        ("slow: {network.clients.up: 5 Mbps}", "slow: {network.clients.up: 5}",
         ["x.yaml:18", "network.clients.up", "found 5"]),
        ("slow: {network.clients.up: 5 Mbps}", "slow: {name: other}",
         ["x.yaml:18", "methods", "network"]),
        ("network:", "netwrok:", ["netwrok", "'network'"]),
        ("  clients:\n    down: 20 Mbps\n    up: 20 Mbps\n    rtt: 40 ms\n", "",
         ["network", "either 'clients' or 'groups'"]),
        ("up: 20 Mbps\n", "up: {kind: lognormal, median: 3 Mbps}\n", ["sigma", "missing key"]),
        ("up: 20 Mbps\n", "up: {kind: nrmal, median: 3 Mbps}\n", ["nrmal", "'normal'"]),
        ("name: small", "name: [", ["x.yaml", "expected"]),
        ("name: small", "name: !!python/object:os.system x", ["x.yaml:1", "tag"]),
    ],
)  # fmt: skip
def test_a_mistake_is_met_with_file_line_key_and_what_is_allowed(read, found, instead, says):
    assert found in GOOD
    with pytest.raises(ScenarioError) as error:
        read(GOOD.replace(found, instead, 1))
    text = error.value.message + error.value.hint
    for part in says:
        assert part in text, text
    assert error.value.exit_code == 2


def test_an_override_is_blamed_for_what_it_did(read):
    with pytest.raises(ScenarioError, match=r"--set network\.clients\.up=5.*found 5"):
        read(GOOD, ["network.clients.up=5"])


def test_too_many_variants_are_counted_not_made(read):
    axes = "\n".join(
        f"  a{i}: {{"
        + ", ".join(f"v{i}x{j}: {{training.rounds: {j + 1}}}" for j in range(40))
        + "}"
        for i in range(4)
    )
    with pytest.raises(ScenarioError, match="found 2560000 variants"):
        read(GOOD[: GOOD.index("vary:")] + "vary:\n" + axes)


@pytest.mark.parametrize(
    "path",
    [p for at in ("", "paper/", "paper/full/") for p in sorted(ROOT.glob(f"scenarios/{at}*.yaml"))],
    ids=lambda path: "-".join(path.relative_to(ROOT / "scenarios").with_suffix("").parts),
)
def test_every_shipped_scenario_is_fine(path):
    assert inputs.read(path).trainings()


def test_null_drops_a_method_and_an_axis(read):
    found = read(GOOD, ["methods.FLASC 1/4=null", "vary.rank=null"])
    assert found.methods == ["LoRA"]
    assert list(found.variants) == ["slow", "fast"]


@pytest.mark.parametrize("override", ["methods.FLASC 1/8.down=1/2", "methods.flasc 1/4.up=1/2"])
def test_an_override_inside_a_method_that_is_not_there_is_met_halfway(read, override):
    with pytest.raises(ScenarioError, match=r"found no .* did you mean 'FLASC 1/4'"):
        read(GOOD, [override])


def test_an_inherited_axis_is_told_where_it_no_longer_fits(read, tmp_path):
    (tmp_path / "base.yaml").write_text(GOOD)
    own = "network:\n  clients: null\n  groups: {a: {share: 1, down: 1 Mbps, up: 1 Mbps}}\n"
    with pytest.raises(ScenarioError) as error:
        read(f"extends: base.yaml\nname: own\n{own}")
    assert "x.yaml:3: network: found groups, and an axis of vary" in error.value.message
    assert "base.yaml:17" in error.value.message
    assert error.value.hint == "null drops an inherited axis: vary: {upload: null}"


def test_one_variant_alone_keeps_its_label_and_its_settings(read):
    whole = replace(read(), recordings=Path("there"))
    for label in whole.variants:
        one = study.narrowed(whole, label)
        assert one.variants == {label: one.variants[label]}
        assert one.variants[label].network == whole.variants[label].network
        assert one.variants[label].training == whole.variants[label].training
        assert one.recordings == Path("there")


def test_one_variant_without_vary_is_the_same_scenario(read):
    whole = read()
    for label, variant in whole.variants.items():
        data = study.flattened(whole, label)
        assert "vary" not in data
        again = Scenario.model_validate(data)
        assert again == variant.model_copy(update={"vary": {}})


RANK = GOOD[GOOD.index("  rank:") :]
HEAD, UPLOAD = GOOD.removesuffix(RANK).split("vary:\n")
SWEPT = f"{HEAD}vary:\n  network.clients.up: [5 Mbps, 20 Mbps]\n{RANK}"


def test_sweeps_and_labels_multiply_and_numbers_stay(read):
    found = read(SWEPT)
    assert list(found.variants) == [
        "up 5 Mbps, r4", "up 5 Mbps, r16", "up 20 Mbps, r4", "up 20 Mbps, r16"
    ]  # fmt: skip
    assert found.variants["up 5 Mbps, r4"].network.clients.up == 5e6
    (swept,) = found.swept["up 5 Mbps, r4"]
    assert (swept.path, swept.quantity.value, swept.quantity.unit) == (
        "network.clients.up", 5e6, "bit/s"
    )  # fmt: skip
    assert read().swept == {}


def test_a_swept_study_is_read_again_from_its_dump(read):
    found = read(SWEPT)
    again = read(study.dump(found.document.data))
    assert again.swept == found.swept
    assert list(study.narrowed(found, "up 20 Mbps, r4").variants) == ["up 20 Mbps, r4"]
    assert study.flattened(found, "up 5 Mbps, r4")["network"]["clients"]["up"] == "5 Mbps"


def test_a_method_may_be_swept_and_others_share_their_trainings(read):
    found = read(f"{HEAD}vary:\n{UPLOAD}  methods.FLASC 1/4.up: [1/4, 1/16, 1/64]\n")
    assert [each.methods["FLASC 1/4"].up for each in found.variants.values()][:3] == [
        1 / 4, 1 / 16, 1 / 64
    ]  # fmt: skip
    trainings = found.trainings()
    assert sum(each.method == "LoRA" for each in trainings) == 2  # one per seed
    assert sum(each.method == "FLASC 1/4" for each in trainings) == 6


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ("methods.FLASC.up: [1/4, 1/16]", "found no method 'FLASC'; did you mean 'FLASC 1/4'"),
        ("m: {a: {methods.LoRA: {kind: head}}}", "allowed: one key of a method, like methods.LoRA"),
        ("network.clients.upp: [1 Mbps]", "x.yaml:LINE: network.clients.upp: unknown key"),
        ("network.clients.up: [1 Mbps, 2]", 'x.yaml:LINE: vary."network.clients.up": found 1 Mbps'),
        ("upload2: [1 Mbps]", "x.yaml:LINE: vary.upload2: found values for 'upload2'"),
    ],
)
def test_mistakes_in_sweeps(read, axis, said):
    with pytest.raises(ScenarioError) as caught:
        read(f"{GOOD}  {axis}\n")
    assert said.replace("LINE", str(GOOD.count("\n") + 1)) in caught.value.message
