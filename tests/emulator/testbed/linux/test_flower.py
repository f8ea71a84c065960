"""What crosses a link while Flower sends messages, and a real deployment where there is one."""

import json
import struct

import pytest

from emulator.common.errors import SupportError
from emulator.testbed.linux import flower, run
from emulator.testbed.linux.delay_relay import Cable, Capture, data_size
from emulator.testbed.schedule import Deployment, Message

DELAY_S = 0.02


def packet(data: int, *, options: int = 0, protocol: int = 6) -> bytes:
    """An IPv4 packet with a TCP segment (RFC 791 and RFC 9293) of so many bytes of data."""
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 40 + options + data, 1, 0, 64, protocol, 0,
        bytes([10, 0, 0, 2]), bytes([10, 1, 0, 2]),
    )  # fmt: skip
    tcp = struct.pack("!HHIIBBHHH", 9100, 40000, 1, 1, (20 + options) // 4 << 4, 0x10, 512, 0, 0)
    return header + tcp + bytes(options + data)


@pytest.mark.parametrize(("data", "options"), [(0, 0), (0, 12), (1, 12), (1448, 12), (1460, 0)])
def test_data_are_what_the_headers_leave(data, options):
    assert data_size(packet(data, options=options)) == data


@pytest.mark.parametrize("other", [b"", b"\x60" + bytes(60), packet(100, protocol=17)])
def test_other_packets_have_no_data(other):
    assert data_size(other) == 0


def test_a_capture_has_the_times_at_the_client():
    """Device 4 is the router's end, 5 the client's: a segment up left the client a delay before."""
    capture = Capture([Cable(2, 3, 0.5), Cable(4, 5, DELAY_S)])
    capture.note(5, 1.0, packet(700))
    capture.note(4, 2.0, packet(30))
    capture.note(4, 3.0, packet(0))
    assert capture.seen == [(1, "down", 1.0, 700), (1, "up", 2.0 - DELAY_S, 30)]


def test_a_message_is_the_bursts_with_data_on_its_side_of_the_training():
    """Client 0 asks twice before there is a message, and twice before its answer is there."""
    seen = [
        (0, "up", 10.2, 90), (0, "down", 10.24, 60),  # asks, in vain
        (0, "up", 12.0, 90), (0, "down", 12.04, 60), (0, "up", 12.05, 80),  # the message: it asks,
        (0, "down", 12.1, 4344), (0, "down", 12.4, 4344),  # and receives
        (0, "up", 15.0, 90), (0, "down", 15.04, 60),  # asks again while it trains
        (0, "up", 16.0, 4344), (0, "up", 17.3, 4344), (0, "down", 17.5, 40),  # the answer
        (0, "up", 19.0, 90), (0, "down", 19.04, 60),
        (1, "down", 12.9, 9000), (1, "up", 13.0, 9000),
    ]  # fmt: skip
    noted = {
        "0": {"given_s": 10.0, "got_s": 14.0, "answered_s": 14.5},
        "1": {"given_s": 11.0, "got_s": 12.95, "answered_s": 12.96},
    }
    one = {"finish_s": 20.0, "clients": noted}
    messages = [Message(0, "down", 2896), Message(0, "up", 2896), Message(1, "up", 9000)]
    found = flower.timed(messages, seen, one)
    assert [pytest.approx(span) for span in found["times"]] == [
        (12.0, 12.4),
        (16.0, 17.5),
        (13.0, 13.0),
    ]
    assert found["waiting_s"] == pytest.approx((2.0 + 1.6 + 1.5 + 0.04) / 2)
    with pytest.raises(OSError, match="no data of client 1 crossed its link"):
        flower.timed([Message(1, "down", 1)], [seen[-1]], one)


def test_without_flower_it_is_refused(monkeypatch):
    monkeypatch.setattr(flower, "find_spec", lambda _: None)
    with pytest.raises(SupportError, match="found no flwr, which --flower needs"):
        flower.require()
    monkeypatch.setattr(flower, "find_spec", lambda _: True)
    monkeypatch.setattr(flower.metadata, "version", lambda _: "1.30.0")
    with pytest.raises(SupportError, match=r"found flwr 1\.30\.0; allowed with --flower: 1\.42"):
        flower.require()


def test_the_app_gets_the_bytes_of_each_client(tmp_path):
    messages = [Message(0, "down", 7), Message(0, "up", 3), Message(1, "down", 8)]
    out = flower._prepare(messages, 2, Deployment(25, 3, 4.5, 200.0, str(tmp_path)))
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert (plan.pop("limit_s"), plan.pop("home")) == (200.0, str(tmp_path))
    assert plan == {
        "down": [7, 8],
        "up": [3, 0],
        "arrays": 25,
        "rounds": 3,
        "gap_s": 4.5,
        "out": str(out),
    }
    assert (tmp_path / "app" / "flower_app.py").exists()


@pytest.mark.slow
def test_a_real_deployment_takes_at_least_what_the_links_take(real, case):
    pytest.importorskip("flwr", reason="pip install 'flasc-emu[flower]'")
    (found,) = run.enact_by_flower(case.star, case.messages, "cubic", 3, 1, 4.0, 200.0)
    for message, (start_s, finish_s) in zip(case.messages, found.times, strict=True):
        assert finish_s - start_s >= message.nbytes / case.star.up_Bps[message.client]
    payload = sum(message.nbytes for message in case.messages)
    assert found.relay["bytes"] > payload
    assert found.waiting_s is not None
    assert found.waiting_s > 0
