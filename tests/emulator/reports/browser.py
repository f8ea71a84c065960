"""A headless Chromium, told what to do by the DevTools protocol over a pipe: no port, no library.

https://chromedevtools.github.io/devtools-protocol/, and --remote-debugging-pipe: JSON messages
that end with a NUL, to the browser's file 3 and from its file 4.
"""

import base64
import fcntl
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FOUND = next((path for name in NAMES if (path := shutil.which(name))), None)
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)  # fmt: skip


def _pipe() -> tuple[int, int]:
    """A pipe whose ends stay out of the way of files 3 and 4."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]


class Browser:
    """One tab; what it asked for and what it complained of is kept."""

    def __init__(self, profile: Path) -> None:
        assert FOUND
        hears, tell = _pipe()
        listen, says = _pipe()

        command = [FOUND, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        silent = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
        ends = [(os.POSIX_SPAWN_DUP2, fd, at) for fd, at in ((hears, 3), (says, 4))]
        self.pid = os.posix_spawn(FOUND, command, os.environ, file_actions=[*silent, *ends])
        os.close(hears)
        os.close(says)
        self.input = os.fdopen(tell, "wb", buffering=0)
        self.output = listen
        self.heard = b""
        self.number = 0
        self.session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.input.close()
        os.close(self.output)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of one command; events that arrive before it are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.input.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.heard:
            heard = os.read(self.output, 1 << 20)
            assert heard, "the browser has gone"
            self.heard += heard
        text, _, self.heard = self.heard.partition(b"\0")
        return dict(json.loads(text))

    def open(
        self, page: Path | str, width: int = 1400, height: int = 900, scheme: str = "light"
    ) -> None:
        """Open a file or an address as a screen so large shows it, to the end of its load event."""
        mobile = width < 640
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=mobile)  # fmt: skip
        preferred = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=preferred)
        self.events.clear()
        url = page if isinstance(page, str) else page.resolve().as_uri()
        self.call("Page.navigate", url=url)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def evaluate(self, code: str) -> Any:
        """The value of a JavaScript expression in the page; a promise is waited for."""
        done = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        options = {"format": "png", "captureBeyondViewport": True}
        return base64.b64decode(self.call("Page.captureScreenshot", **options)["data"])

    def requests(self) -> list[str]:
        """Addresses that the page asked for."""
        asked = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in asked]

    def complaints(self) -> list[str]:
        """Exceptions, errors and warnings in the console, and what the browser itself logs."""
        methods = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [json.dumps(e["params"])[:500] for e in self.events if e.get("method") in methods]
