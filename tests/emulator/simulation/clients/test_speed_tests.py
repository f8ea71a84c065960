"""Tables of speed tests: whole rows are drawn, in groups too, and what is refused."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import ValidationError

from emulator.simulation.clients.compute import Compute
from emulator.simulation.clients.links import AccessLink

from .drawn_links import DATA, SERVER, built, network

FILE = DATA / "speedtests_sample.csv"
COLUMNS = {"down": "downlink_Mbps", "up": "uplink_Mbps", "rtt": "latency_ms"}
# The rows that have all three, in Mbit/s and ms.
ROWS = {(412.5, 38.1, 19), (88.4, 11.9, 31), (1810.2, 96.3, 14), (35.6, 4.2, 48), (240.8, 22.5, 24)}


def table(file=FILE, columns=COLUMNS, **keys):
    return {"file": str(file), "columns": columns, **keys}


def drawn(fleet, of=slice(None)):
    """[(Mbit/s, Mbit/s, ms)] of clients."""
    columns = 8e-6 * fleet.down_Bps[of], 8e-6 * fleet.up_Bps[of], 2e3 * fleet.delay_s[of]
    return [tuple(round(value, 9) for value in row) for row in zip(*columns, strict=True)]


def test_each_client_is_one_row():
    made, by_link = built(network(clients={"table": table()}), clients=1000)
    assert by_link is None
    found = drawn(made)
    assert set(found) == ROWS
    for row in ROWS:
        assert found.count(row) / 1000 == pytest.approx(1 / 5, abs=5 * 0.4 / 1000**0.5)


def test_a_row_is_drawn_from_the_named_stream_of_down():
    rows = [built(network(clients={"table": table()}), 50, seed)[0] for seed in (3, 3, 4)]
    assert drawn(rows[0]) == drawn(rows[1]) != drawn(rows[2])
    fast = {"kind": "uniform", "low": "1 Mbps", "high": "2 Mbps"}
    other = built(network(clients={"down": fast, "up": "1 Mbps"}), 50, 3)[0]
    by_other = np.argsort(other.down_Bps)
    assert (np.diff(rows[0].down_Bps[by_other]) >= 0).all()


def test_groups_draw_rows_of_their_own_kind():
    groups = {
        "slow": {"share": 1, "table": table(where={"radio_type": "4G"})},
        "fast": {"share": 1, "table": table(where={"radio_type": ["NSA low", "NSA mmWave"]})},
        "half": {
            "share": 1,
            "table": table(columns={"down": "downlink_Mbps"}, where={"carrier": "B"}),
            "up": {"ratio": "1/2"},
            "rtt": "7 ms",
        },
    }
    made, _ = built(network(groups=groups), clients=300)
    slow, fast, half = ({*drawn(made, made.group == number)} for number in range(3))
    assert slow == {row for row in ROWS if row[2] > 30}
    assert fast == ROWS - slow
    assert half == {(1810.2, 905.1, 7), (62.7, 31.35, 7), (35.6, 17.8, 7)}


def test_weights(file):
    path = file("d_Mbps,n\n1,0\n2,1\n3,3\n")
    columns = {"down": "d_Mbps", "weight": "n"}
    made, _ = built(network(clients={"table": table(path, columns), "up": "1 Mbps"}), clients=1000)
    down = (8e-6 * made.down_Bps).round(9)
    assert {*down.tolist()} == {2.0, 3.0}
    assert np.mean(down == 3) == pytest.approx(3 / 4, abs=5 * 0.45 / 1000**0.5)


def test_a_preset_fills_in_what_the_table_has_not():
    columns = {"down": "downlink_Mbps"}
    found = network(clients={"table": table(columns=columns), "preset": "adsl"}).clients
    assert (found.down, found.up != "table", found.rtt) == ("table", True, 0.049)
    with pytest.raises(ValidationError, match="found preset with down, up, rtt beside it"):
        network(clients={"table": table(), "preset": "3g"})


def test_a_correlation_of_compute_goes_with_the_rows():
    clients = {"table": table(), "correlation": {"compute": -1}}
    compute = Compute.model_validate(
        {"per_example": {"kind": "uniform", "low": "1 ms", "high": "9 ms"}}
    )
    made, _ = built(network(clients=clients), clients=200, compute=compute)
    fast = made.down_Bps > np.median(made.down_Bps)
    assert made.seconds_per_example[fast].max() < made.seconds_per_example[~fast].min()


def test_rows_that_are_left_out_are_told():
    found = network(clients={"table": table()}).clients.table
    assert str(found) == "speedtests_sample.csv (5 rows)"
    assert found.remarks == [
        f"{FILE}: clients draw 5 of 6 rows: in the others, a value of downlink_Mbps, uplink_Mbps, "
        "latency_ms is missing, or a rate is 0"
    ]
    whole = network(clients={"table": table(columns={"down": "downlink_Mbps"}), "up": "1 Mbps"})
    assert whole.clients.table.remarks == []


def test_units_may_be_given(file):
    path = file("d;u;ping\n8000;800;0.02\n")
    columns = {"down": "d", "up": "u", "rtt": "ping"}
    clients = {"table": table(path, columns, unit="kbps", rtt_unit="s")}
    assert drawn(built(network(clients=clients), 1)[0]) == [(8, 0.8, 20)]


@pytest.mark.parametrize(
    ("clients", "why"),
    [
        ({"table": table(), "down": "1 Mbps"}, "found a table and down beside it; allowed: one of"),
        ({"table": table(), **SERVER, "rtt": 0}, "found a table and down beside it"),
        ({"table": table(), "devices": {"format": "flash", "file": f"{DATA}/flash_sample.json"}},
         "found a table and devices beside it"),
        ({"down": "table", "up": "1 Mbps"}, "found table, which has no down; allow"),
        ({"table": table(columns={"down": "downlink_Mbps"}), "up": "table"}, "which has no up"),
        ({"table": table(columns={"down": "downlink_Mbps"})}, "Field required"),
        ({"table": table(), "correlation": {"rtt": 0.5}}, "found rtt of the same row, and"),
        ({"table": table(), "correlation": 0.5}, "found up of the same row, and a correlation"),
        ({"table": table(columns={"up": "uplink_Mbps"})}, "Field required"),
        ({"table": table(columns={**COLUMNS, "up": "Uplink_Mbps"})},
         r"csv:1: found no column 'Uplink_Mbps'; did you mean 'uplink_Mbps'\? allowed: Date, down"),
        ({"table": table(columns={**COLUMNS, "up": "carrier"})}, "'carrier' without a unit"),
        ({"table": table(columns={**COLUMNS, "rtt": "carrier"})}, "without a unit of time"),
        ({"table": table(rtt_unit="Mbps")}, "'latency_ms' without a unit of time"),
        ({"table": table(columns={**COLUMNS, "up": "Date"}, unit="bps")}, "csv:2: found '2021"),
        ({"table": table(where={"radio_type": "5g"})},
         "found no row with '5g' in 'radio_type'; .*allowed: NSA low, 4G, NSA mmWave"),
        ({"table": table(where={"radio": "4G"})}, "found no column 'radio'; did you mean"),
        ({"table": table(where={"radio_type": []})}, "at least 1 item"),
        ({"table": table(where={"radio_type": "NSA low", "carrier": "B"})}, "found 0 rows"),
        ({"table": table(DATA / "none.csv")}, "no such file"),
    ],
)  # fmt: skip
def test_refused(clients, why):
    with pytest.raises(ValidationError, match=why):
        network(clients=clients)


def test_a_table_of_failed_tests_is_refused(file):
    with pytest.raises(
        ValidationError, match="found 0 rows with down, up, rtt, of 2; allowed: 1 to"
    ):
        network(
            clients={"table": table(file("downlink_Mbps,uplink_Mbps,latency_ms\n0,1,2\n1,,3\n"))}
        )


CONTENT = FILE.read_bytes()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200
)
@given(
    st.integers(0, len(CONTENT)),
    st.sampled_from(
        [b"", b"\n", b",", b'"', b"0", b"-9", b"nan", b"1e400", b"\xff", b"\x00", b";"]
    ),
    st.integers(0, 30),
)
def test_a_damaged_table_gives_one_message_or_rows(file, at, instead, gone):
    path = file(CONTENT[:at] + instead + CONTENT[at + gone :])
    with contextlib.suppress(ValidationError):
        found = AccessLink.model_validate({"table": table(path)})
        rows = found.table.rows(np.array([0.0, 0.5, 1 - 2**-53]))
        assert (found.table.column("down")[rows] > 0).all()
        assert np.isfinite(found.table.column("rtt")[rows]).all()
