"""What the page can change of a scenario: the same as a file, with the same messages."""

from pathlib import Path

import pytest

from emulator.common.errors import MessageLogError, ScenarioError
from emulator.explore.form import Explored, Form
from emulator.runner import inputs
from emulator.simulation.clients.presets import PRESETS

from .conftest import LOG, ROOT

SLOW, FAST = "16x slower", "as fast"
CLIENTS = "network.clients"


def explored(form: Form, start: str = SLOW, **texts: str) -> Explored:
    """The scenario with fields of the clients."""
    return form.explored(start, {f"{CLIENTS}.{key}": text for key, text in texts.items()})


def test_an_edited_variant_is_the_variant_of_the_file(form, study):
    assert explored(form).scenario.network == study.variants[SLOW].network
    found = explored(form, up="20 Mbps")
    assert found.scenario.network == study.variants[FAST].network
    assert found.scenario.training == study.variants[FAST].training


def test_the_copied_scenario_is_a_file_that_gives_the_same(form, tmp_path):
    texts = {f"{CLIENTS}.rtt": "200 ms", f"{CLIENTS}.up.ratio": "1/8", f"{CLIENTS}.up": ""}
    found = form.explored(SLOW, texts | {"training.target.accuracy": "40 %"})
    (tmp_path / "copied.yaml").write_text(found.text, "utf-8")
    again = inputs.read(tmp_path / "copied.yaml")
    assert again.scenario == found.scenario
    (tmp_path / "network.yaml").write_text(found.network, "utf-8")
    over = inputs.read(tmp_path / "copied.yaml", networks=[tmp_path / "network.yaml"])
    assert over.variants["network"].network == found.scenario.network


def test_a_text_that_is_as_before_changes_nothing(form):
    assert explored(form, up="1.25 Mbps").key == explored(form).key
    assert explored(form, up="1.26 Mbps").key != explored(form).key
    assert explored(form, FAST, up="1.25 Mbps").key != explored(form).key, "another training"


def test_a_target_changes_what_is_read_and_not_what_is_simulated(form):
    found = form.explored(SLOW, {"training.target.accuracy": "0.6"})
    assert found.scenario.training.goal.value == 0.6
    assert found.simulated.training.goal.value == 0.5
    assert found.key == form.explored(SLOW, {}).key
    assert form.explored(SLOW, {"training.target.accuracy": ""}).scenario.training.goal is None


def test_up_is_a_rate_or_a_ratio(form):
    assert explored(form, **{"up": "", "up.ratio": "1/4"}).scenario.network.clients.up.ratio == 0.25
    assert explored(form, **{"up.ratio": "1/4"}).scenario.network.clients.up.ratio == 0.25
    with pytest.raises(ScenarioError, match=r"network\.clients\.up: missing key"):
        explored(form, up="")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_fills_in_what_has_no_text(form, name):
    preset = {"preset": name, "down": "", "up": "", "rtt": ""}
    found = explored(form, **preset).scenario.network.clients
    assert found.preset == name
    fixed = explored(form, **preset | {"rtt": "77 ms"}).scenario.network.clients
    assert (fixed.rtt, fixed.down, fixed.up) == (0.077, found.down, found.up)


def test_a_preset_that_fills_in_nothing_is_left_out(form):
    assert explored(form, preset="4g").scenario.network.clients.preset is None
    assert explored(form, preset="wifi").scenario.network.clients.half_duplex


def test_cells_are_there_with_clients(form):
    cells = {"cells.clients": "5", "cells.down": "50 Mbps", "cells.up": "20 Mbps"}
    assert explored(form, **cells).scenario.network.clients.cells.clients == 5
    assert explored(form, **cells | {"cells.clients": "0"}).scenario.network.clients.cells is None
    with pytest.raises(ScenarioError, match=r"network\.clients\.cells\.up: missing key"):
        explored(form, **cells | {"cells.up": ""})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("network.clients.up", "20 Mpbs", "the page: network.clients.up: found '20 Mpbs'; allowed: "
         "a rate with its unit, like 20 Mbps or 1.25 MB/s"),
        ("network.clients.loss", "2", "network.clients.loss: found 2"),
        ("network.server.down", "{kind: trace}", "network.server.down.file: missing key"),
        ("training.target.accuracy", "1.5", "training.target.accuracy: found 1.5"),
        ("network.clients.rtt", "[", "the page: not YAML"),
        ("network.clients.upp", "1 Mbps", "found no field 'network.clients.upp'; did you mean "
         "'network.clients.up'?"),
        ("task.data", "x", "found no field 'task.data'"),
    ],
)  # fmt: skip
def test_a_wrong_text_has_the_message_of_a_file(form, name, text, message):
    with pytest.raises(ScenarioError) as error:
        form.explored(SLOW, {name: text})
    assert message in error.value.message
    assert len(error.value.message.splitlines()) == 1


def test_an_unknown_variant_is_named(form):
    with pytest.raises(ScenarioError, match="found no variant '16x slow'; did you mean '16x slow"):
        form.sections("16x slow")


def test_policies_are_those_of_the_recording():
    form = Form(inputs.read(ROOT / "recordings/deadline.json.gz"))
    (policy,) = (f for s in form.sections("2 s") for f in s.fields if f.name == "policy")
    labels = dict(policy.choices)
    assert list(labels.values())[:3] == [
        "synchronous (wait for all)", "overselection (first 10 of 13)", "deadline (2 s)",
    ]  # fmt: skip
    first = form.explored("2 s", {"policy": next(iter(labels))})
    assert first.scenario.policy.kind == "synchronous"


def test_each_group_has_its_fields():
    form = Form(inputs.read(ROOT / "recordings/churn.json.gz"))
    titles = [section.title for section in form.sections(form.starts[0])]
    assert titles == ["Clients: home", "Clients: phone", "Server", "Rounds"]
    found = form.explored(form.starts[0], {"network.groups.phone.up": "1 Mbps"}).scenario.network
    assert (found.groups["phone"].up, found.groups["home"].up) == (1e6, 5e6)


def test_a_message_log_answers_what_it_can(log: Path):
    network = {"5g": {"network": {"server": {"down": "1 Gbps", "up": "1 Gbps"},
                                  "clients": {"preset": "5g"}}}}  # fmt: skip
    form = Form(inputs.read(log, networks=network))
    found = form.explored("5g", {"network.clients.rtt": "1 s", "training.target.accuracy": "0.2"})
    assert found.scenario.network.clients.rtt == 1.0
    assert found.text == found.network, "a scenario has no messages"
    unscored = [line for line in LOG.splitlines() if "score" not in line]
    log.write_text("\n".join(unscored), "utf-8")
    form = Form(inputs.read(log, networks=network))
    with pytest.raises(MessageLogError, match=r"target: the log of FedAvg has no scores"):
        form.explored("5g", {"training.target.accuracy": "0.2"})
