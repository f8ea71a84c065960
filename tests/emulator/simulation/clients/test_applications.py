"""Settings of applications: presets, their sources, and what is refused."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from emulator.network.application import Application
from emulator.simulation.clients.applications import (
    PRESETS,
    ApplicationSettings,
    PresetName,
    flower_requests,
)
from emulator.simulation.clients.links import Network

PAGE = Path(__file__).parents[4] / "docs/reference/network_presets.md"
LINK = {"down": "1 Gbps", "up": "1 Gbps"}


def application(keys):
    return ApplicationSettings.model_validate(keys)


def network(**keys):
    return Network.model_validate({"server": LINK, "clients": LINK, **keys})


def test_every_name_is_a_preset_with_a_version_and_a_source():
    assert get_args(PresetName) == tuple(PRESETS)
    for preset in PRESETS.values():
        assert preset.about
        assert preset.version
        assert preset.source.startswith("https://")
        assert preset.settings.keys() <= ApplicationSettings.model_fields.keys()


@pytest.mark.parametrize(
    ("keys", "model"),
    [
        ({}, None),
        ({"preset": "raw"}, None),
        ({"preset": "https"}, Application(tls=True)),
        ({"preset": "https", "tls": False}, None),
        ({"preset": "grpc"}, Application(grpc=True, keeps_connection=True)),
        ({"preset": "grpc", "connection": "per_message"}, Application(grpc=True)),
        ({"requests": 30, "parallel": 2}, Application(requests=30, parallel=2)),
        (
            {"preset": "flower"},
            Application(
                requests=1, calls=2, beside=5, parallel=2, processing_s=0.008, keeps_connection=True
            ),
        ),
        (
            {"preset": "flower", "arrays": 25, "tls": True, "processing": 0},
            Application(
                requests=25, calls=2, beside=29, parallel=2, tls=True, keeps_connection=True
            ),
        ),
        (
            {"preset": "flower", "requests": 3},
            Application(requests=3, parallel=2, processing_s=0.008, keeps_connection=True),
        ),
    ],
    ids=str,
)
def test_keys_beside_a_preset_replace_it(keys, model):
    assert application(keys).model() == model
    assert bool(application(keys).describe()) is (model is not None)


def test_flower_asks_for_about_30_turns_of_25_arrays_and_5_of_one():
    turns = [sum(-(-n // 2) for n in flower_requests(arrays).values()) for arrays in (25, 1)]
    assert turns == [29, 5]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"arrays": 3}, "found arrays with preset raw; allowed: arrays with preset flower"),
        ({"preset": "grpc", "arrays": 3}, "found arrays with preset grpc"),
        (
            {"preset": "flower", "arrays": 3, "calls": 1},
            "found arrays with requests, calls or beside",
        ),
        ({"preset": "flower", "arrays": 0}, "arrays\n  Input should be greater than or equal to 1"),
        ({"preset": "flower", "arrays": 10**6}, "1 validation error"),
        ({"processing": 1}, "allowed: a duration with its unit"),
    ],
)
def test_keys_that_do_not_fit_are_refused(keys, message):
    with pytest.raises(ValidationError, match=re.escape(message)):
        application(keys)


def test_a_name_alone_is_a_preset():
    assert network(application="grpc").application == application({"preset": "grpc"})
    with pytest.raises(ValidationError, match="found 'flwr'; did you mean 'flower'"):
        network(application="flwr")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"transport": "fluid", "application": "flower"}, "found an application with transport"),
        (
            {"transport": {"handshake": False}, "application": "https"},
            "found tls or grpc per message with transport handshake: false",
        ),
    ],
)
def test_an_application_that_the_transport_leaves_out_is_refused(keys, message):
    with pytest.raises(ValidationError, match=message):
        network(**keys)


def test_what_adds_nothing_is_allowed_with_any_transport():
    assert network(transport="fluid", application="raw").application.model() is None
    kept = {"preset": "https", "connection": "kept"}
    assert network(transport={"handshake": False}, application=kept).application.tls


def test_the_presets_page_shows_every_application():
    rows = re.findall(r"^\| (?:raw|https|grpc|flower) \|.*$", PAGE.read_text(), re.MULTILINE)
    assert rows == [
        f"| {name} | {preset.about} | {keys(preset.settings)} | {preset.version} "
        f"| [source]({preset.source}) |"
        for name, preset in PRESETS.items()
    ]


def keys(settings):
    texts = {True: "true", False: "false"}
    told = [f"{key}: {texts.get(value, value)}" for key, value in settings.items()]
    return ", ".join(told) or "none"
