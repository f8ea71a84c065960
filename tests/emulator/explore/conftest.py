"""Studies of recordings, and a running `flasc-emu explore`."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from emulator.explore.form import Form
from emulator.runner import inputs
from emulator.scenario.study import Study

ROOT = Path(__file__).parents[3]
RECORDING = ROOT / "recordings/figure3.json.gz"
METHODS = ("LoRA", "head only")
LOG = "\n".join(
    json.dumps(each)
    for each in [
        {"flasc_emu_message_log": 1, "run": "toy", "method": "FedAvg", "clients": 9},
        *(
            {"kind": "visit", "round": n, "client": c, "bytes_down": 90_000, "bytes_up": 40_000,
             "seconds": 1.5, "examples": 20}
            for n in (1, 2, 3) for c in (7, "b")
        ),
        *({"kind": "score", "round": n, "value": n / 10} for n in (0, 1, 3)),
    ]
)  # fmt: skip


@pytest.fixture(scope="session")
def study() -> Study:
    """Two methods of the packed recording, with one seed."""
    return inputs.read(RECORDING, ["training.seeds=[0]"], METHODS)


@pytest.fixture(scope="session")
def form(study: Study) -> Form:
    """Its form."""
    return Form(study)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A message log of three rounds."""
    path = tmp_path / "log.jsonl"
    path.write_text(LOG, "utf-8")
    return path


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str
    pid: int

    def ask(
        self, path: str = "", content: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, Mapping[str, str]]:
        """Status, content and headers of a request for a path after the token."""
        return request(self.url + path, content, headers or {})

    def views(self, **content: Any) -> list[dict[str, Any]]:
        """The views of a drawing."""
        status, text, _ = self.ask("draw", {"start": "16x slower"} | content)
        assert status == 200, text
        return [json.loads(line) for line in text.splitlines()]


def request(
    url: str, content: Any, headers: Mapping[str, str]
) -> tuple[int, str, Mapping[str, str]]:
    """Status, content and headers of the answer; POST with a content, which is sent as JSON."""
    parts = urlsplit(url)
    with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, 120)) as link:
        body = content if isinstance(content, bytes | None) else json.dumps(content).encode()
        link.request("GET" if body is None else "POST", parts.path, body, dict(headers))
        answer = link.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())


@contextlib.contextmanager
def serving(*arguments: object) -> Iterator[Served]:
    """`flasc-emu explore`, until it is interrupted; that is no error."""
    process = subprocess.Popen(
        [sys.executable, "-m", "emulator", "explore", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    url = process.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:"), process.stderr.read()
    try:
        yield Served(url, process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        code, errors = process.wait(60), process.stderr.read()
        process.stdout.close()
        process.stderr.close()
    assert (code, errors) == (0, "")


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """The server for two methods of the packed recording, with two seeds."""
    only = [option for method in METHODS for option in ("--method", method)]
    with serving(RECORDING, *only, "--set", "training.seeds=[0, 1]", "--workers", 2) as found:
        yield found


@pytest.fixture(scope="session")
def ask_raw() -> Callable[..., tuple[int, str, Mapping[str, str]]]:
    """Sends any request."""
    return request


@pytest.fixture(scope="session")
def serve() -> Callable[..., contextlib.AbstractContextManager[Served]]:
    """Starts another server."""
    return serving
