"""Requests that are refused: of other machines, hosts and origins, and without the token."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse

from emulator.explore.guard import Guard

TOKEN, OWN = "t0ken", "127.0.0.1:8000"
PASSED = 200, b"/draw"


def ask(headers=None, path=f"/{TOKEN}/draw", client=("127.0.0.1", 5), hosts=(OWN,), kind="http"):
    """Status and content of the answer; PASSED if the application was asked. None: no answer."""

    async def app(scope, receive, send):
        await PlainTextResponse(scope["path"])(scope, receive, send)

    sent = []

    async def send(message):
        sent.append(message)

    named = [("host", host) for host in hosts] + list((headers or {}).items())
    encoded = [(name.encode(), value.encode()) for name, value in named]
    scope = {"type": kind, "method": "POST", "path": path, "headers": encoded, "client": client}
    asyncio.run(Guard(app, TOKEN, 8000)(scope, None, send))
    return (sent[0]["status"], sent[1]["body"]) if sent else None


@pytest.mark.parametrize(
    "headers",
    [
        {},  # no browser
        {"origin": f"http://{OWN}", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
    ],
)
def test_the_own_page_is_answered(headers):
    assert ask(headers) == PASSED


def test_the_other_name_of_this_machine_is_answered():
    assert ask({"origin": "http://localhost:8000"}, hosts=["localhost:8000"]) == PASSED
    assert ask({"origin": f"http://{OWN}"}, hosts=["localhost:8000"]) == (403, b"")


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "http://127.0.0.1:8001", f"https://{OWN}", f"http://{OWN}/",
     "http://localhost:8000"],
)  # fmt: skip
def test_another_origin_gets_nothing(origin):
    assert ask({"origin": origin}) == (403, b"")


@pytest.mark.parametrize("site", ["cross-site", "same-site", ""])
def test_another_site_gets_nothing(site):
    assert ask({"sec-fetch-site": site}) == (403, b"")


@pytest.mark.parametrize(
    "hosts",
    [[], ["evil.example"], ["evil.example:8000"], ["127.0.0.1"], ["127.0.0.1:80"], [OWN, OWN],
     ["127.0.0.1:8000.evil.example"], ["0.0.0.0:8000"]],
)  # fmt: skip
def test_another_host_gets_nothing(hosts):
    """A name that resolves to this machine is what DNS rebinding makes of a page of its owner."""
    assert ask(hosts=hosts) == (403, b"")


@pytest.mark.parametrize("client", [("192.168.1.7", 5), ("8.8.8.8", 5), ("::ffff:10.0.0.1", 5)])
def test_another_machine_gets_nothing(client):
    assert ask(client=client) == (403, b"")


def test_an_unknown_machine_gets_nothing():
    assert ask(client=None) == (403, b"")


@pytest.mark.parametrize(
    "path",
    ["/", "", "/draw", f"/{TOKEN}", f"/{TOKEN}x/draw", "//draw", f"/{TOKEN[:-1]}/draw",
     f"/{TOKEN.upper()}/draw", f"/é{TOKEN}/"],
)  # fmt: skip
def test_without_the_token_the_address_is_asked_for(path):
    status, text = ask(path=path)
    assert status == 403
    assert b"open the address that flasc-emu explore printed" in text


def test_a_web_socket_is_not_answered():
    assert ask(kind="websocket") is None
