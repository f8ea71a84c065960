"""Traces of rates in a scenario: offsets, scales, and what is refused."""

import numpy as np
import pytest
from pydantic import ValidationError

from emulator.common.errors import ScenarioError
from emulator.network.capacity.trace import profile_of
from emulator.network.traces.formats import read_trace
from emulator.runner import inputs

from ...simulation.clients.drawn_links import CSV, DATA, MAHIMAHI, TRACE, built, network, rates


def profile(path, way="down", loop=True):
    return profile_of(read_trace(path)[1], way, loop=loop)


@pytest.mark.parametrize(
    ("file", "way", "expected"),
    [
        (CSV, "down", profile(CSV)),
        (CSV, "up", profile(CSV, "up")),
        (MAHIMAHI, "down", profile(MAHIMAHI)),
    ],
)
def test_a_trace_at_its_start_is_the_file_to_the_bit(file, way, expected):
    rate = {"kind": "trace", "file": str(file), "offset": "none"}
    by_link = built(network(clients={"down": rate, "up": rate}))[1]
    for client in range(3):
        found = by_link.get(("client", way, client))
        np.testing.assert_array_equal(rates(found), rates(expected))


def test_a_trace_is_shifted_and_scaled_as_it_says():
    rate = {**TRACE, "offset": "7 s", "scale": "25 %"}
    found = built(network(clients={"down": rate, "up": "1 Mbps"}))[1].get(("client", "down", 0))
    np.testing.assert_allclose(rates(found), rates(profile(CSV).shifted(7.0)) / 4)


def test_random_offsets_are_uniform_over_the_trace_and_the_same_for_both_ways():
    found = network(clients={"down": TRACE, "up": TRACE})
    by_link = built(found, clients=2000)[1]
    first, length_s = profile(CSV), profile(CSV).length_s
    # The share of clients in each of the rates is that of the time that the file spends there.
    starts = [by_link.get(("client", "down", client)).rate_at(0) for client in range(2000)]
    for rate_Bps in set(starts):
        share = np.mean([first.rate_at(t) == rate_Bps for t in np.arange(0, length_s, 0.1)])
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
    rate = {"kind": "trace", "file": str(path), "loop": False, "offset": "none"}
    made, by_link = built(network(clients={"down": rate, "up": rate}))
    found = by_link.get(("client", "down", 0))
    assert [found.rate_at(t) for t in (0, 9.9, 10, 1e6)] == [1e6, 1e6, 2e6, 2e6]
    assert (made.down_Bps == 2e6).all()


def test_the_format_goes_by_the_file(tmp_path):
    path = tmp_path / "rates.txt"
    rate = {"kind": "trace", "file": str(path)}
    path.write_text(CSV.read_text())
    assert network(clients={"down": rate, "up": "1 Mbps"})
    path.write_text("1\n2\n")
    with pytest.raises(ValidationError, match=r"named rates\.txt; allowed: format csv, mahimahi,"):
        network(clients={"down": rate, "up": "1 Mbps"})
    assert network(clients={"down": {**rate, "format": "mahimahi"}, "up": "1 Mbps"})


def test_a_description_has_the_format_that_was_found():
    for name, text in {
        "capacity_sample.csv": "trace capacity_sample.csv",
        "mahimahi_sample.trace": "trace mahimahi_sample.trace",
        "cooked_sample.txt": "trace cooked_sample.txt (cooked)",
        "irish_sample.csv": "trace irish_sample.csv (irish)",
    }.items():
        rate = {"kind": "trace", "file": str(DATA / name)}
        assert str(network(clients={"down": rate, "up": "1 Mbps"}).clients.down) == text


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"unit": "Mbps"}, "found unit without columns"),
        ({"time_format": "s"}, "found time_format without columns"),
        ({"columns": {"time": "t", "down": "d"}, "format": "irish"}, "columns with format irish"),
        ({"columns": {"time": "t"}}, "found neither down nor up"),
        ({"columns": {"down": "d"}}, "Field required"),
        ({"columns": {"time": "t", "up": "u"}, "unit": "km"}, "found 'km'; allowed: bps, kbps"),
        ({"columns": {"time": "t", "up": "u"}, "time_format": "sec"}, "found 'sec'; allowed: s,"),
        ({"columns": {"time": "time_s", "up": "up_Mbps"}}, "found no rates for down; "),
        ({"columns": {"time": "time", "down": "down_Mbps"}},
         r"found no column 'time'; did you mean 'time_s'\? allowed: time_s, down_"),
    ],
)  # fmt: skip
def test_columns_that_do_not_fit_are_refused(keys, why):
    rate = {"kind": "trace", "file": str(CSV), **keys}
    with pytest.raises(ValidationError, match=why):
        network(clients={"down": rate, "up": "1 Mbps"})


def test_mistakes_in_the_file_are_told_by_its_line_and_the_scenarios(tmp_path, scenario):
    path = scenario()
    trace = "{kind: trace, file: lte.csv}"
    path.write_text(path.read_text().replace("up: 20 Mbps, rtt", f"up: {trace}, rtt"))
    file = tmp_path / "lte.csv"
    for text, said in {
        "time_s,rate_Mbps\n0,5\n1,x\n": f"{file}:3: found 'x'; allowed: a number, 0 or",
        "time_s,down_Mbps\n0,5\n1,6\n": f"{file}: found no rates for up; allowed: a column up_UNIT",
        None: f"{file}: no such file",
    }.items():
        file.unlink(missing_ok=True)
        if text:
            file.write_text(text)
        with pytest.raises(ScenarioError) as caught:
            inputs.read(path)
        line = next(n for n, t in enumerate(path.read_text().splitlines(), 1) if trace in t)
        assert f"{path}:{line}: network.clients.up: {said}" in str(caught.value)
