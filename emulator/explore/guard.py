"""Answers only the person who started the server: from this machine, by its address and token.

A page of another origin could otherwise ask this server through the person's browser, also by a
name that it resolves to 127.0.0.1 (DNS rebinding).
"""

import secrets
from collections.abc import Mapping
from ipaddress import ip_address

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
OWN_SITE = ("same-origin", "none")  # none: an address that a person typed or opened
NO_TOKEN = "found no valid token in the address; open the address that flasc-emu explore printed\n"
# Scripts of this server alone; no other page may frame it, read it or learn its address.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Passes requests for /TOKEN/PATH to `app` as /PATH, and refuses all others."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token = app, token
        self._hosts = {f"{name}:{port}" for name in NAMES}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, send)
            return
        path = "/" + scope["path"].split("/", 2)[2]

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        inner = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(inner, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that is refused; None for one that is not."""
        headers = [(k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in scope["headers"]]
        if not (_is_of_this_machine(scope) and self._is_of_this_origin(headers)):
            return Response(status_code=403)
        found = scope["path"].split("/", 2)
        if len(found) < 3 or not secrets.compare_digest(found[1].encode(), self._token.encode()):
            return PlainTextResponse(NO_TOKEN, 403)
        return None

    def _is_of_this_origin(self, headers: list[tuple[str, str]]) -> bool:
        """Whether a request names this server, and no other page asks."""
        hosts = [value for name, value in headers if name == "host"]
        origins = [value for name, value in headers if name == "origin"]
        sites = [value for name, value in headers if name == "sec-fetch-site"]
        return (
            len(hosts) == 1
            and hosts[0] in self._hosts
            and all(each == f"http://{hosts[0]}" for each in origins)
            and all(each in OWN_SITE for each in sites)
        )


def _is_of_this_machine(scope: Mapping[str, object]) -> bool:
    client = scope.get("client")
    return isinstance(client, tuple | list) and ip_address(client[0]).is_loopback
