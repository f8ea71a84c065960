"""Published tables of devices: the samples, and what is refused."""

import pytest

from emulator.common.errors import ScenarioError
from emulator.simulation.clients.device_formats import Device, read_fedscale, read_flash

from .drawn_links import DATA


def test_the_fedscale_sample():
    assert read_fedscale(DATA / "fedscale_sample.json") == [
        Device("1", 1e6, 1e6, per_example_s=pytest.approx(0.15)),
        Device("2", 154_320.0, 154_320.0, per_example_s=pytest.approx(0.4215)),
        Device("7", 12e6, 12e6, per_example_s=0.0),
    ]


def test_the_flash_sample():
    assert read_flash(DATA / "flash_sample.json") == [
        Device("made-up-phone-a", 2.5e6, 1.25e6, 0.75e6, 0.0),
        Device("made-up-phone-b", 4e5, 90_250.0, 900_500.0, 60_000.0),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "table:1: found no JSON: Expecting property name"),
        ("[]", "table: found []; allowed: 1 to 1,000,000 devices by name"),
        ("{}", "table: found 0 devices"),
        ('{"1": [50, 8000]}', "table: 1: found [50, 8000]; allowed: a mapping with computation, c"),
        ('{"1": {"computation": 5}}', "allowed: a mapping with computation, communication"),
        ('{"1": {"computation": 5, "communication": 0}}', "1: communication: found 0; allowed: 1e"),
        ('{"1": {"computation": -5, "communication": 1}}', "1: computation: found -5; allowed: 0,"),
        ('{"1": {"computation": true, "communication": 1}}', "1: computation: found true"),
        ('{"1": {"computation": "5", "communication": 1}}', "computation: found '5'"),
        ('{"1": {"computation": NaN, "communication": 1}}', "computation: found NaN"),
        (f'{{"1": {{"computation": 1{"0" * 400}, "communication": 1}}}}', "computation: found 100"),
        (f'{{"1": {{"computation": 1{"0" * 5000}, "communication": 1}}}}', "cannot be read"),
        ('{"1": {"computation": 5, "communication": 1}, "1": {}}', "found a name twice"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_what_is_no_table_of_devices(file, text, message):
    with pytest.raises(ScenarioError) as raised:
        read_fedscale(file(text))
    assert message in raised.value.message
