"""Sweeps from the command line: spelling, axes that they replace, and mistakes."""

import pytest

from emulator.common.errors import ScenarioError
from emulator.scenario import document
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
