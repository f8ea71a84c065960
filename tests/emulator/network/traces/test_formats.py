"""Every format of trace: a transfer takes the integral of the file; formats are recognised."""

import contextlib
import random

import pytest
import simpy
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import ValidationError

from emulator.common.errors import ScenarioError
from emulator.network.network import Network as Links
from emulator.network.traces.formats import FORMATS, detect, read_trace
from emulator.simulation.clients.fleet import draw_fleet
from emulator.simulation.clients.link_profiles import LinkProfiles
from emulator.simulation.clients.links import Network

from .trace_samples import COLUMNS, DATA, SAMPLES, seconds

MEGABYTE = 1_000_000
CASES = [
    pytest.param(file, keys, way, of, id=f"{file} {way}")
    for file, keys, *both in SAMPLES
    for way, of in zip(("down", "up"), both, strict=True)
    if of
]


def finish_s(file, way, nbytes=MEGABYTE, **keys):
    """The simulated time of a message over a trace, without RTT and offset, over fluid."""
    trace = {"kind": "trace", "file": str(file), "offset": "none", **keys}
    server = {"down": "1 Tbps", "up": "1 Tbps"}
    clients = {"down": "1 Tbps", "up": "1 Tbps", way: trace}
    network = Network.model_validate({"server": server, "transport": "fluid", "clients": clients})
    fleet = draw_fleet(network, None, 1, 0)
    env = simpy.Environment()
    rates = fleet.up_Bps, fleet.down_Bps, fleet.delay_s
    servers = fleet.server_up_Bps, fleet.server_down_Bps
    profiles = LinkProfiles.build(network, fleet, 0)
    links = Links(env, *rates, *servers, transport=network.transport.model(), profiles=profiles)
    sent = links.download(0, nbytes) if way == "down" else links.upload(0, nbytes)
    env.run()
    return sent.value.finish_s


@pytest.mark.parametrize(("file", "keys", "way", "of"), CASES)
def test_a_transfer_takes_the_integral_of_the_trace(file, keys, way, of):
    for nbytes in (MEGABYTE, 7 * MEGABYTE + 1, 1):
        took = finish_s(DATA / file, way, nbytes, **keys)
        assert took == pytest.approx(float(seconds(of, nbytes)), rel=1e-9, abs=0)


def test_every_format_has_a_sample():
    found = {read_trace(DATA / file)[0] for file, keys, *_ in SAMPLES if not keys}
    assert found == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_that_is_given_goes_before_what_the_file_looks_like(name, file):
    path = file("time_s,rate_Mbps\n0,8\n")
    if name == "csv":
        assert read_trace(path, name)[0] == "csv"
    else:
        with pytest.raises(ScenarioError):
            read_trace(path, name)


@pytest.mark.parametrize(
    ("first", "suffix", "expected"),
    [
        ("time_s,down_Mbps", ".txt", "csv"),
        ('"time_s","down_Mbps"', "", "csv"),
        ("# a comment\n\ntime_s,down_Mbps", "", "csv"),
        ("a,b", ".csv", "csv"),
        ("1", ".up", "mahimahi"),
        ("1 2", ".up", "cooked"),
        ("0.5\t3e2", ".log", "cooked"),
        ("1 2 3 4 5 6", ".csv", "six_columns"),
        ('[{"duration_ms": 5}]', "", "sabre"),
        ("Timestamp,DL_bitrate,UL_bitrate", ".csv", "irish"),
        ('"UL_bitrate", "DL_bitrate", "Timestamp"', ".csv", "irish"),
        ("timestamp,dl_bitrate,ul_bitrate", ".csv", "irish"),
    ],
)
def test_a_format_is_known_by_the_first_line_or_the_suffix(first, suffix, expected, tmp_path):
    assert detect(first + "\n", tmp_path / f"x{suffix}") == expected


@pytest.mark.parametrize("first", ["", "1", "1 2 3", "a b", "a,b", "Timestamp,DL_bitrate"])
def test_an_unknown_format_is_refused_with_the_known_ones(first, tmp_path):
    with pytest.raises(ScenarioError) as raised:
        detect(first, tmp_path / "x.log")
    assert raised.value.message == (
        "found no format for a file named x.log; allowed: format csv, mahimahi, cooked, sabre, "
        "six_columns, irish, or columns"
    )


TEXTS = [(DATA / file).read_bytes() for file, *_ in SAMPLES]
CHUNKS = [b"", b"\n", b",", b'"', b"\t", b" ", b"0", b"-1", b"nan", b"1e400", b"1e-300", b"\xff",
          b"\x00", b"[", b"{}", b"null", b"9" * 30, b"#", b"%", b"\r", b"\xe2\x80\xa8"]  # fmt: skip


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=400
)
@given(st.integers(0, 2**32), st.sampled_from(range(len(SAMPLES))), st.booleans(), st.booleans())
def test_a_damaged_file_gives_one_message_or_rates(file, seed, which, shuffled, loop):
    rng, content = random.Random(seed), TEXTS[which]
    if shuffled:
        lines = content.splitlines(keepends=True)
        content = b"".join(rng.choices(lines, k=rng.randrange(len(lines) + 2)))
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(content) + 1)
        content = content[:at] + rng.choice(CHUNKS) + content[at + rng.randrange(4) :]
    trace = {"kind": "trace", "file": str(file(content)), "loop": loop}
    if rng.random() < 0.3:
        trace["format"] = rng.choice(list(FORMATS))
    elif "columns" in SAMPLES[which][1]:
        trace |= COLUMNS | {"unit": rng.choice(["Mbps", None])}
    clients = {"down": trace, "up": trace}
    with contextlib.suppress(ValidationError):
        server = {"down": "1 Tbps", "up": "1 Tbps"}
        found = Network.model_validate({"server": server, "clients": clients})
        profile = found.clients.down.shape(None, 0.5)
        assert 0 < profile.mean < float("inf")
        assert 0 <= profile.rate_at(1e4) < float("inf")
        assert all(isinstance(line, str) for line in found.clients.up.remarks)
