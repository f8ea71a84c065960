"""Tables of devices in a scenario: what a fleet draws of them, and what is refused."""

import pickle

import numpy as np
import pytest
from pydantic import ValidationError

from emulator.simulation.clients.compute import Compute

from .drawn_links import DATA, SERVER, built, network, rates

FLASH, FEDSCALE = DATA / "flash_sample.json", DATA / "fedscale_sample.json"


def devices(format="flash", file=FLASH, **keys):
    return {"format": format, "file": str(file), **keys}


def test_each_client_is_one_device_both_ways():
    made, by_link = built(network(clients={"devices": devices()}), clients=400)
    pairs = {*zip(made.down_Bps.tolist(), made.up_Bps.tolist(), strict=True)}
    assert pairs == {(2.5e6, 1.25e6), (4e5, 90_250.0)}
    share = (made.down_Bps == 2.5e6).mean()
    assert share == pytest.approx(0.5, abs=5 * 0.5 / 20)
    fast = int(np.argmax(made.down_Bps))
    assert by_link.get(("client", "up", fast)) is None  # its deviation is 0
    profile = by_link.get(("client", "down", fast))
    drawn = [profile.rate_at(60.0 * k) for k in range(1000)]
    assert len(set(drawn)) == 1000
    # Cut at 0, 3.3 deviations below the mean: 0.2 % of a deviation above it.
    assert np.mean(drawn) == pytest.approx(2.5e6, abs=5 * 7.5e5 / 1000**0.5)
    assert np.std(drawn) == pytest.approx(7.5e5, rel=5 / (2 * 1000) ** 0.5)
    assert profile.piece(0.0)[1] == 60


def test_a_part_of_the_device_will_do():
    made, by_link = built(network(clients={"devices": devices(), "up": {"ratio": "1/2"}}))
    np.testing.assert_array_equal(made.up_Bps, made.down_Bps / 2)
    down, up = (by_link.get(("client", way, 0)) for way in ("down", "up"))
    np.testing.assert_allclose(rates(up), rates(down) / 2)
    made, _ = built(network(clients={"devices": devices(), "down": "8 Mbps"}))
    assert (made.down_Bps == 1e6).all()


def test_a_preset_fills_in_what_devices_have_not():
    found = network(clients={"devices": devices(), "preset": "adsl"})
    assert (found.clients.down, found.clients.up, found.clients.rtt) == ("devices",) * 2 + (0.049,)


def test_devices_go_with_the_correlation():
    clients = {"devices": devices(), "rtt": {"kind": "uniform", "low": "1 ms", "high": "9 ms"}}
    made, _ = built(network(clients={**clients, "correlation": {"rtt": -1}}), clients=200)
    fast = made.down_Bps == 2.5e6
    assert made.delay_s[fast].max() < made.delay_s[~fast].min()


def test_fedscale_has_times_to_train_too(tmp_path):
    table = tmp_path / "devices.json"
    table.write_text('{"a": {"computation": 50, "communication": 8000}, '
                     '"b": {"computation": 200, "communication": 800}}')  # fmt: skip
    compute = Compute(per_example="devices")
    found = network(clients={"devices": devices("fedscale", table)})
    made, by_link = built(found, 300, compute=compute)
    assert by_link is None
    pairs = {*zip(made.down_Bps.tolist(), made.seconds_per_example.tolist(), strict=True)}
    assert pairs == {(1e6, 0.15), (1e5, 0.6)}
    np.testing.assert_array_equal(made.up_Bps, made.down_Bps)


@pytest.mark.parametrize(
    "table", [devices("fedscale", FEDSCALE), devices()], ids=["fedscale", "flash"]
)
def test_a_missing_time_is_never_taken_for_none(table):
    with pytest.raises(ValidationError, match="found no time to train"):
        Compute.model_validate({"per_example": {k: table[k] for k in ("format", "file")}})
    with pytest.raises(ValueError, match="found no time to train"):
        network(clients={"devices": table}).clients.devices.seconds()


@pytest.mark.parametrize(
    ("clients", "why"),
    [
        ({"devices": devices(), **SERVER}, "found devices with down and up beside them"),
        ({"down": "devices", "up": "1 Mbps"}, "no devices; allowed: devices with a table"),
        (
            {"devices": devices(), "correlation": 0.5},
            "up of the same device, and a correlation of up",
        ),
        ({"devices": devices("fedscale")}, "made-up-phone-a: found"),
        ({"devices": devices(step=0)}, "a duration above zero"),
    ],
)
def test_refused(clients, why):
    with pytest.raises(ValidationError, match=why):
        network(clients=clients)


def test_a_pickle_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "client_device_capacity"
    path.write_bytes(pickle.dumps({1: {"computation": 1.0, "communication": 2.0}}))
    with pytest.raises(ValidationError, match=r"FedScale publishes a pickle.*json\.dumps"):
        network(clients={"devices": devices("fedscale", path)})
