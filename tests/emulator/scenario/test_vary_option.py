"""Sweeps from the command line: spelling, axes that they replace, and mistakes."""

from pathlib import Path

import pytest

from emulator.common.errors import ScenarioError
from emulator.runner import inputs
from emulator.scenario import document
from emulator.scenario.document import fix_hint
from emulator.scenario.vary_option import with_sweeps

BASE = """\
name: small
vary:
  upload: {slow: {network.clients.up: 1 Mbps}, fast: {network.clients.up: 2 Mbps}}
  links: {thin: {network.clients: {down: 1 Mbps, up: 1 Mbps}}}
  network.clients.down: [1 Mbps, 2 Mbps]
  rank: {r4: {training.lora.rank: 4}}
"""


def vary(*given, text=BASE):
    changed = with_sweeps(document.parse(text, "x.yaml"), *given)
    return document.with_overrides(changed, ()).data["vary"]


def test_a_sweep_replaces_the_axes_of_its_setting_and_is_the_last():
    found = vary(["network.clients.up=20Mbps,10 Mbps, 0.5Mbps"])
    assert list(found) == ["network.clients.down", "rank", "network.clients.up"]
    assert found["network.clients.up"] == ["20Mbps", "10 Mbps", "0.5Mbps"]


@pytest.mark.parametrize("values", ["4,8", "[4, 8]", " 4, 8 "])
def test_commas_are_a_list(values):
    assert vary([f"training.lora.rank={values}"])["training.lora.rank"] == [4, 8]


def test_ranges_and_mappings():
    text = "network.clients.rtt={from: 5 ms, to: 1 s, points: 3, scale: log}"
    written = {"from": "5 ms", "to": "1 s", "points": 3, "scale": "log"}
    path = "network.clients.rtt"
    assert vary([text], text="name: x")[path] == vary({path: written}, text="name: x")[path]
    assert vary([text], text="name: x")[path] == written


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["network.clients.up"], "found no key.path=values; allowed: like network.clients.up="),
        (["network.clients.up="], "found no values"),
        (["a.b=1,2", "a.b=3"], "found a.b twice"),
        (["a..b=1"], "found no key.path=values"),
    ],
)
def test_mistakes_quote_the_option(given, said):
    with pytest.raises(ScenarioError) as caught:
        vary(given)
    assert said in caught.value.message
    assert caught.value.message.startswith(f"--vary {given[-1]}")


@pytest.mark.parametrize(
    ("places", "hint"),
    [
        (["--vary network.clients.up=20Mbps,fast"], "fix the value of --vary"),
        (["--set a.b=1", "--vary c.d=2", "--set e=3"], "fix the value of --set and of --vary"),
        (["x.yaml:3"], "fix the scenario, then run flasc-emu check"),
        (["x.yaml:3", "--set a=1"], "fix --set and the scenario, then run flasc-emu check"),
    ],
)
def test_the_hint_names_what_is_wrong(places, hint):
    assert fix_hint(places) == hint


def test_a_wrong_value_of_an_option_is_not_called_a_mistake_of_the_scenario():
    for options, hint in (
        ({"vary": ["network.clients.upp=20Mbps,5Mbps"]}, "fix the value of --vary"),
        ({"overrides": ["network.clients.up=-3Mbps"]}, "fix the value of --set"),
    ):
        with pytest.raises(ScenarioError) as caught:
            inputs.read(Path("slow_upload"), **options)
        assert caught.value.hint == hint
