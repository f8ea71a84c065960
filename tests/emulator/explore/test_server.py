"""The server over HTTP, as a process of its own."""

import contextlib
import http.client
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .conftest import RECORDING

SLOW = "16x slower"


def test_the_page_and_its_scripts_are_there(served):
    status, page, headers = served.ask()
    assert status == 200
    assert '<script src="explore.js"></script>' in page
    policy = headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["referrer-policy"] == "no-referrer", "the address has the token"
    assert not [name for name in headers if name.lower().startswith("access-control")]
    for name in ("explore.js", "plotly.js"):
        assert served.ask(name)[0] == 200
    assert served.ask("draw")[0] == 405
    assert served.ask("nothing")[0] == 404


def test_another_origin_gets_nothing(served):
    asked = {"start": SLOW}
    assert served.ask("scenario", asked)[0] == 200
    own = served.url.removesuffix("/").rpartition("/")[0]
    assert served.ask("scenario", asked, {"Origin": own, "Sec-Fetch-Site": "same-origin"})[0] == 200
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example:" + own.rpartition(":")[2]},
    ):
        for path, content in (
            ("scenario", asked),
            ("draw", asked),
            ("", None),
            ("plotly.js", None),
        ):
            assert served.ask(path, content, headers)[:2] == (403, ""), (headers, path)


def test_without_the_token_nothing_is_answered(served, ask_raw):
    own, token = served.url.removesuffix("/").rsplit("/", 1)
    for path in ("", "/", "/draw", f"/{token[:-1]}/", f"/{token}", "/../", "/x" * 1000):
        status, text, _ = ask_raw(own + path, None, {})
        assert status == 403, path
        assert "token" in text
        assert token not in text
    assert len(token) >= 32


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads /proc, which Linux has")
def test_the_server_listens_on_this_machine_alone(served):
    port = urlsplit(served.url).port
    table = Path(f"/proc/{served.pid}/net/tcp").read_text()
    listening = [line.split()[1] for line in table.splitlines() if line.split()[3] == "0A"]
    assert f"0100007F:{port:04X}" in listening
    assert f"00000000:{port:04X}" not in listening


def test_each_seed_adds_a_view(served):
    first, second = served.views(texts={"network.clients.up": "20 Mbps"})
    assert (first["done"], second["done"], second["of"]) == (1, 2, 2)
    assert first["table"]["rows"][0][1] == "17.2 s"
    assert second["table"]["rows"][0][1].startswith("15.9 s (14.7 s to 17.2 s")
    assert "2 seeds" in second["answer"]


def test_a_comparison_is_drawn_with_the_form(served):
    kept = [{"start": "as fast", "label": "fast"}, {"start": "4x slower", "label": "fast"}]
    *_, last = served.views(kept=kept)
    assert last["table"]["heads"][1:4] == ["fast", "fast (2)", "these settings"]


@pytest.mark.parametrize("path", ["draw", "scenario"])
def test_a_wrong_text_is_one_message_for_the_page(served, path):
    status, text, _ = served.ask(path, {"start": SLOW, "texts": {"network.clients.up": "fast"}})
    assert status == 200
    assert json.loads(text) == {
        "problem": "the page: network.clients.up: found 'fast'; allowed: a rate with its unit, "
        "like 20 Mbps or 1.25 MB/s"
    }


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 400), (b"[]", 400), (b"{", 400), ({"start": 3}, 400), ({"start": SLOW, "more": 1}, 400),
     ({"start": SLOW, "texts": {"network.clients.up": 7}}, 400), (b"\xff", 400),
     ({"start": SLOW, "kept": [{"start": SLOW}] * 21}, 400), (b" " * (2**20 + 1), 413)],
)  # fmt: skip
def test_requests_of_another_form_are_refused(served, content, status):
    assert served.ask("draw", content)[0] == status
    assert served.ask("draw", {"start": SLOW})[0] == 200, "and the next one is answered"


def test_a_drawing_that_is_given_up_does_not_hold_up_the_next(served):
    """The page closes the connection when a slider moves on."""
    parts = urlsplit(served.url)
    for step in range(30):
        link = http.client.HTTPConnection(parts.hostname, parts.port, 60)
        texts = {"network.clients.rtt": f"{100 + step} ms"}
        link.request("POST", f"{parts.path}draw", json.dumps({"start": SLOW, "texts": texts}))
        link.close()
    began = time.monotonic()
    last = served.views(texts={"network.clients.rtt": "99 ms"})[-1]
    assert last["done"] == 2
    assert time.monotonic() - began < 60


def test_an_interruption_ends_a_drawing_without_a_word(serve):
    """The fixture compares exit code and output."""
    with contextlib.ExitStack() as after, serve(RECORDING, "--workers", 1) as found:
        parts = urlsplit(found.url)
        link = http.client.HTTPConnection(parts.hostname, parts.port, 60)
        after.callback(link.close)
        link.request("POST", f"{parts.path}draw", json.dumps({"start": SLOW}))
        assert found.ask()[0] == 200, "the request before is being answered"


def test_a_log_starts_with_a_network_of_its_own(serve, log):
    with serve(log, "--workers", 1) as found:
        status, text, _ = found.ask("form", {"start": ""})
        form = json.loads(text)
        assert (status, form["start"], form["logged"]) == (200, "4g", True)
        (view,) = found.views(start="4g")
        assert view["table"]["rows"][0][0] == "FedAvg"
        (target,) = found.views(start="4g", texts={"training.target.accuracy": "0.2"})
        assert "accuracy 0.20" in target["answer"]
