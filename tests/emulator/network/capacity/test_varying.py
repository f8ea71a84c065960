"""Rates in time as a scenario has them: what reaches the links, and what is refused."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from emulator.common.errors import ScenarioError
from emulator.network.capacity.diurnal import DAY_S
from emulator.network.capacity.trace import read_csv, read_mahimahi
from emulator.runner import inputs
from emulator.scenario.scenario import Compute
from emulator.simulation.clients import fleet, link_profiles
from emulator.simulation.clients.links import Network

DATA = Path(__file__).parents[3] / "data"
CSV, MAHIMAHI = DATA / "capacity_sample.csv", DATA / "mahimahi_sample.trace"
FLASH, FEDSCALE = DATA / "flash_sample.json", DATA / "fedscale_sample.json"
SERVER = {"down": "1 Gbps", "up": "1 Gbps"}
TRACE = {"kind": "trace", "file": str(CSV)}
MARKOV = {
    "kind": "markov",
    "states": [{"rate": "8 Mbps", "dwell": "9 s"}, {"rate": 0, "dwell": "3 s"}],
}
DIURNAL = {"kind": "diurnal", "mean": "8 Mbps", "depth": 0.75}
VARYING = {"trace": TRACE, "markov": MARKOV, "diurnal": DIURNAL}
LAW = {"kind": "lognormal", "median": "10 Mbps", "sigma": 1}
TIMES_S = np.linspace(0, 2 * DAY_S, 997)


def network(server=SERVER, **keys):
    return Network.model_validate({"server": server, **keys})


def built(found, clients=5, seed=0, compute=None):
    made = fleet.draw_fleet(found, compute, clients, seed)
    return made, link_profiles.LinkProfiles.build(found, made, seed)


def rates(profile):
    return np.array([profile.rate_at(t) for t in TIMES_S.tolist()])


# -- every kind, on every link


PLACES = {
    ("client", "down", 3): {"clients": {"down": ..., "up": "1 Mbps"}},
    ("client", "up", 3): {"clients": {"down": "1 Mbps", "up": ...}},
    ("cell", "down", 1): {
        "clients": {**SERVER, "cells": {"clients": 2, "down": ..., "up": "1 Mbps"}}
    },
    ("cell", "up", 1): {
        "clients": {**SERVER, "cells": {"clients": 2, "down": "1 Mbps", "up": ...}}
    },
    ("server", "down", 0): {"server": {**SERVER, "down": ...}, "clients": SERVER},
    ("server", "up", 0): {"server": {**SERVER, "up": ...}, "clients": SERVER},
}


def placed(place, law):
    if isinstance(place, dict):
        return {key: placed(value, law) for key, value in place.items()}
    return law if place is ... else place


@pytest.mark.parametrize("kind", VARYING)
@pytest.mark.parametrize("link", PLACES, ids=str)
def test_a_link_has_its_profile_and_no_other_has(link, kind):
    found = network(**placed(PLACES[link], VARYING[kind]))
    made, by_link = built(found)
    profile = by_link.get(link)
    assert len(set(rates(profile))) > 1
    assert by_link.get(link) is profile
    for other in PLACES:
        if other != link and (other[0] != "cell" or len(made.cell_up_Bps)):
            assert by_link.get(other) is None
    # What the fleet says is what the link carries in the long run.
    party, way, index = link
    field = getattr(made, f"{'' if party == 'client' else party + '_'}{way}_Bps")
    long_run_Bps = np.atleast_1d(field)[index]
    if kind == "markov":
        assert long_run_Bps == pytest.approx(1e6 * 9 / 12, rel=1e-12)
        assert set(rates(profile)) == {1e6, 0}
    else:
        assert profile.mean == pytest.approx(long_run_Bps, rel=1e-12)


@pytest.mark.parametrize("kind", VARYING)
def test_it_repeats_itself_and_seeds_differ(kind):
    law = {**VARYING[kind], "offset": "random"} if kind != "markov" else MARKOV
    found = network(clients={"down": law, "up": law})

    def drawn(seed, client):
        return rates(built(found, seed=seed)[1].get(("client", "down", client)))

    np.testing.assert_array_equal(drawn(0, 1), drawn(0, 1))
    assert (drawn(0, 1) != drawn(1, 1)).any()
    assert (drawn(0, 1) != drawn(0, 2)).any()


@pytest.mark.parametrize("kind", VARYING)
def test_a_scenario_that_went_to_another_process_is_the_same(kind):
    found = network(clients={"down": VARYING[kind], "up": {"ratio": 0.5}})
    again = pickle.loads(pickle.dumps(found))
    one, other = (rates(built(each)[1].get(("client", "down", 2))) for each in (found, again))
    np.testing.assert_array_equal(one, other)


def test_nothing_that_changes_costs_nothing():
    assert built(network(clients={"down": LAW, "up": LAW}))[1] is None
    big = network(clients={"down": TRACE, "up": "1 Mbps"})
    by_link = built(big, clients=100_000)[1]
    assert by_link.get(("client", "down", 99_999)) is not None
    assert len(by_link._made) == 1


@pytest.mark.parametrize("kind", VARYING)
def test_up_in_proportion_to_a_down_that_changes_is_so_at_any_time(kind):
    ratio = {"ratio": {"kind": "uniform", "low": "1/16", "high": "1/4"}}
    made, by_link = built(network(clients={"down": VARYING[kind], "up": ratio}))
    for client in range(5):
        down, up = (rates(by_link.get(("client", way, client))) for way in ("down", "up"))
        share = made.up_Bps[client] / made.down_Bps[client]
        assert 1 / 16 <= share <= 1 / 4
        np.testing.assert_allclose(up, share * down, rtol=1e-12)


def test_the_level_is_drawn_and_correlated_as_a_rate_is():
    share = {"kind": "uniform", "low": 0.5, "high": 2}
    clients = {"up": LAW, "rtt": {"kind": "uniform", "low": "1 ms", "high": "9 ms"}}
    clients["correlation"] = {"rtt": -1, "up": 1}
    by_trace = built(network(clients={**clients, "down": {**TRACE, "scale": share}}), 300)[0]
    by_law = built(network(clients={**clients, "down": LAW}), 300)[0]
    order = np.argsort(by_law.down_Bps)
    np.testing.assert_array_equal(np.argsort(by_trace.down_Bps), order)
    np.testing.assert_array_equal(by_trace.up_Bps, by_law.up_Bps)
    np.testing.assert_array_equal(np.argsort(-by_trace.delay_s), order)


# -- traces


@pytest.mark.parametrize(
    ("file", "way", "expected"),
    [
        (CSV, "down", read_csv(CSV)["down"]),
        (CSV, "up", read_csv(CSV)["up"]),
        (MAHIMAHI, "down", read_mahimahi(MAHIMAHI)),
    ],
)
def test_a_trace_at_its_start_is_the_file_to_the_bit(file, way, expected):
    law = {"kind": "trace", "file": str(file), "offset": "none"}
    by_link = built(network(clients={"down": law, "up": law}))[1]
    for client in range(3):
        profile = by_link.get(("client", way, client))
        np.testing.assert_array_equal(rates(profile), rates(expected))


def test_a_trace_is_shifted_and_scaled_as_it_says():
    law = {**TRACE, "offset": "7 s", "scale": "25 %"}
    profile = built(network(clients={"down": law, "up": "1 Mbps"}))[1].get(("client", "down", 0))
    np.testing.assert_allclose(rates(profile), rates(read_csv(CSV)["down"].shifted(7.0)) / 4)


def test_random_offsets_are_uniform_over_the_trace_and_the_same_for_both_ways():
    found = network(clients={"down": TRACE, "up": TRACE})
    by_link = built(found, clients=2000)[1]
    first, length_s = read_csv(CSV), read_csv(CSV)["down"].length_s
    # The share of clients in each of the rates is that of the time that the file spends there.
    starts = [by_link.get(("client", "down", client)).rate_at(0) for client in range(2000)]
    for rate_Bps in set(starts):
        share = np.mean([first["down"].rate_at(t) == rate_Bps for t in np.arange(0, length_s, 0.1)])
        assert np.mean(np.array(starts) == rate_Bps) == pytest.approx(
            share, abs=5 * 0.5 / 2000**0.5
        )
    for client in range(50):
        down, up = (by_link.get(("client", way, client)) for way in ("down", "up"))
        for now_s in (0.0, 3.0, 11.0):
            assert down.piece(now_s)[1] == up.piece(now_s)[1]


def test_a_trace_that_does_not_loop_ends_in_its_last_rate(tmp_path):
    path = tmp_path / "once.csv"
    path.write_text("time_s,rate_Mbps\n0,8\n10,16\n")
    law = {"kind": "trace", "file": str(path), "loop": False, "offset": "none"}
    made, by_link = built(network(clients={"down": law, "up": law}))
    profile = by_link.get(("client", "down", 0))
    assert [profile.rate_at(t) for t in (0, 9.9, 10, 1e6)] == [1e6, 1e6, 2e6, 2e6]
    assert (made.down_Bps == 2e6).all()


def test_the_format_goes_by_the_suffix(tmp_path):
    path = tmp_path / "rates.txt"
    path.write_text(CSV.read_text())
    law = {"kind": "trace", "file": str(path)}
    with pytest.raises(ValidationError, match=r"named rates\.txt; allowed: format csv or mahimahi"):
        network(clients={"down": law, "up": "1 Mbps"})
    assert network(clients={"down": {**law, "format": "csv"}, "up": "1 Mbps"})


def test_mistakes_in_the_file_are_told_by_its_line_and_the_scenarios(tmp_path, scenario):
    path = scenario()
    trace = "{kind: trace, file: lte.csv}"
    path.write_text(path.read_text().replace("up: 20 Mbps, rtt", f"up: {trace}, rtt"))
    file = tmp_path / "lte.csv"
    for text, said in {
        "time_s,rate_Mbps\n0,5\n1,x\n": f"{file}:3: found '1,x'; allowed: numbers",
        "time_s,down_Mbps\n0,5\n1,6\n": f"{file}:1: found no up_UNIT in the header",
        None: f"{file}: no such file",
    }.items():
        file.unlink(missing_ok=True)
        if text:
            file.write_text(text)
        with pytest.raises(ScenarioError) as caught:
            inputs.read(path)
        line = next(n for n, t in enumerate(path.read_text().splitlines(), 1) if trace in t)
        assert f"{path}:{line}: network.clients.up: {said}" in str(caught.value)


# -- generators


def test_a_markov_link_is_up_as_often_as_its_dwells_say():
    by_link = built(network(clients={"down": MARKOV, "up": "1 Mbps"}), clients=1000)[1]
    found = [by_link.get(("client", "down", c)) for c in range(1000)]
    for now_s in (0.0, 100.0):
        up = np.mean([profile.rate_at(now_s) > 0 for profile in found])
        assert up == pytest.approx(0.75, abs=5 * (0.1875 / 1000) ** 0.5)


def test_slower_states_of_a_markov_link_are_the_same_luck():
    slow = {**MARKOV, "states": [{**state, "dwell": "1 s"} for state in MARKOV["states"]]}
    fast = {**slow, "states": [{**state, "dwell": "2 s"} for state in slow["states"]]}
    one, other = (
        built(network(clients={"down": {**law, "horizon": horizon}, "up": "1 Mbps"}))[1]
        for law, horizon in ((slow, "100 s"), (fast, "200 s"))
    )
    for client in range(5):
        slow_one, fast_one = (each.get(("client", "down", client)) for each in (one, other))
        assert [slow_one.rate_at(t) for t in range(100)] == [
            fast_one.rate_at(2 * t) for t in range(100)
        ]


def test_a_day_begins_at_the_offset():
    law = {**DIURNAL, "offset": "12 h"}
    profile = built(network(clients={"down": law, "up": "1 Mbps"}))[1].get(("client", "down", 0))
    # The curve's mean in one of 96 steps: within 0.1 % of its highest, 8 Mbps x 1.75.
    assert profile.rate_at(0) == pytest.approx(1.75e6, rel=1e-3)
    assert profile.rate_at(DAY_S / 2) == pytest.approx(0.25e6, rel=1e-2)


# -- tables of devices


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


# -- in words


def test_what_changes_is_told():
    groups = {
        "phone": {"share": 1, "down": TRACE, "up": {"ratio": 0.5}},
        "lab": {"share": 1, "devices": devices()},
        "home": {"share": 1, **SERVER, "cells": {"clients": 2, "down": "1 Mbps", "up": DIURNAL}},
    }
    found = network(groups=groups, server={"down": MARKOV, "up": "1 Gbps"})
    assert link_profiles.changing(found) == [
        "phone down by trace capacity_sample.csv",
        "phone up with down",
        "lab down by flash flash_sample.json",
        "lab up by flash flash_sample.json",
        "cells of home up by diurnal",
        "server down by markov of 2 states",
    ]
    assert link_profiles.changing(network(clients=SERVER)) == []
