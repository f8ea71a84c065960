"""The server of the page: the form, a stream of views per drawing, scenarios as YAML."""

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from importlib.resources import files
from typing import Annotated, TypeVar

import uvicorn
from plotly.offline import get_plotlyjs
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from typing_extensions import override

from emulator.common.errors import SupportError
from emulator.explore.form import Explored, Form
from emulator.explore.guard import HOST, Guard
from emulator.explore.replays import Run
from emulator.explore.view import NOW, Shown, view
from emulator.explore.workers import Result, Workers
from emulator.runner.executors import Options
from emulator.scenario.study import Study
from flasc.common.errors import UserError

MOST_KEPT = 20  # scenarios of the comparison
MOST_BYTES = 2**20  # of a request
_TEXT = Annotated[str, Field(max_length=100_000)]
T = TypeVar("T", bound=BaseModel)


class _Asked(BaseModel):
    """A scenario of the page: where it starts from, and the texts of fields that were changed."""

    model_config = ConfigDict(extra="forbid", strict=True)
    start: _TEXT
    texts: dict[_TEXT, _TEXT] = {}
    label: _TEXT = NOW


class _Drawing(_Asked):
    """What is to be drawn: the scenario of the form, and those of the comparison."""

    kept: Annotated[list[_Asked], Field(max_length=MOST_KEPT)] = []


class Explorer:
    """The requests of the page; the server has no other state than the cache of its workers."""

    def __init__(self, study: Study, workers: Workers) -> None:
        self._study, self._workers, self._form = study, workers, Form(study)

    def app(self) -> Starlette:
        """The application, whose paths come after the token."""
        page = _web("explore.html").replace("{css}", _page_css() + _web("explore.css"))
        plotly, script = get_plotlyjs(), _web("explore.js")
        return Starlette(
            routes=[
                Route("/", _constant(page, "text/html")),
                Route("/explore.js", _constant(script, "text/javascript")),
                Route("/plotly.js", _constant(plotly, "text/javascript")),
                Route("/form", self._describe, methods=["POST"]),
                Route("/draw", self._draw, methods=["POST"]),
                Route("/scenario", self._copy, methods=["POST"]),
            ]
        )

    async def _describe(self, request: Request) -> Response:
        """The form that starts from a variant; '' is the last one."""
        asked = await _read(request, _Asked)
        if isinstance(asked, Response):
            return asked
        try:
            return JSONResponse(self._form.described(asked.start or self._form.starts[-1]))
        except UserError as error:
            return _problem(error)

    async def _copy(self, request: Request) -> Response:
        """The scenario and its network as YAML."""
        asked = await _read(request, _Asked)
        if isinstance(asked, Response):
            return asked
        try:
            found = self._form.explored(asked.start, asked.texts)
        except UserError as error:
            return _problem(error)
        return JSONResponse({"scenario": found.text, "network": found.network})

    async def _draw(self, request: Request) -> Response:
        """One view per seed, each with the seeds so far; a closed connection stops the rest."""
        asked = await _read(request, _Drawing)
        if isinstance(asked, Response):
            return asked
        try:
            scenarios = [
                (label, self._form.explored(each.start, each.texts))
                for label, each in _labelled([*asked.kept, asked])
            ]
        except UserError as error:
            return _problem(error)
        return StreamingResponse(self._views(scenarios), media_type="application/x-ndjson")

    async def _views(self, scenarios: Sequence[tuple[str, Explored]]) -> AsyncIterator[str]:
        now = scenarios[-1][1]
        scenario, methods = now.scenario, now.study.methods
        turns = [(seed, draw) for seed in scenario.training.seeds for draw in scenario.draws]
        found: list[dict[Run, Result]] = [{} for _ in scenarios]
        drawing = self._workers.drawing()
        # The form's scenario first, then those of the comparison, which are cached.
        wanted = [
            (number, Run(method, *turn))
            for turn in turns
            for number in reversed(range(len(scenarios)))
            for method in methods
        ]
        tasks = drawing.ask([(scenarios[number][1], run) for number, run in wanted])
        try:
            per_turn = len(wanted) // len(turns)
            for done, ((number, run), task) in enumerate(zip(wanted, tasks, strict=True), 1):
                await asyncio.wait([task])
                if task.cancelled() or (result := task.result()) is None:
                    return
                found[number][run] = result
                if done % per_turn == 0:
                    shown = [
                        Shown(*each, results)
                        for each, results in zip(scenarios, found, strict=True)
                    ]
                    count = {"done": done // per_turn, "of": len(turns)}
                    yield json.dumps(view(shown, scenario.training.goal) | count) + "\n"
        finally:
            drawing.stop(tasks)


def _problem(error: UserError) -> Response:
    """What the page shows for a scenario that is wrong."""
    return JSONResponse({"problem": error.message})


def _labelled(asked: Sequence[_Asked]) -> list[tuple[str, _Asked]]:
    """Scenarios with labels that differ."""
    found: dict[str, _Asked] = {}
    for each in asked:
        label, number = each.label, 2
        while label in found:
            label, number = f"{each.label} ({number})", number + 1
        found[label] = each
    return list(found.items())


async def _read(request: Request, kind: type[T]) -> T | Response:
    """The content of a request, or the answer to one that cannot be used."""
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            return PlainTextResponse("found more than 1 MiB; allowed: at most 1 MiB", 413)
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        return PlainTextResponse(f"found a request of another form: {error}", 400)


def _constant(text: str, media_type: str) -> Callable[[Request], Response]:
    def answer(_: Request) -> Response:
        return Response(text, media_type=media_type, headers={"Cache-Control": "no-store"})

    return answer


def _web(name: str) -> str:
    return (files("emulator.explore") / "web" / name).read_text("utf-8")


def _page_css() -> str:
    return (files("emulator.reports.page") / "web" / "page.css").read_text("utf-8")


def bound(port: int) -> socket.socket:
    """A socket that listens on this machine alone; port 0 is a free one. Raises SupportError."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
        found.listen()
    except OSError as error:
        found.close()
        raise SupportError(
            f"--port {port}: found a port that cannot be used: {error.strerror}",
            "leave --port out to use a free one",
        ) from None
    return found


class _Server(uvicorn.Server):
    """A server that ends drawings before it waits for the end of its answers."""

    def __init__(self, config: uvicorn.Config, pool: Workers) -> None:
        super().__init__(config)
        self._pool = pool

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._pool.stop_all()
        await super().shutdown(sockets)


def serve(
    study: Study,
    options: Options,
    workers: int,
    listening: socket.socket,
    on_ready: Callable[[str], object],
) -> None:
    """Serve the page until a signal ends it; `on_ready` is called with its address."""
    port, token = listening.getsockname()[1], secrets.token_urlsafe(24)
    pool = Workers(study, options, workers)
    try:
        app = Guard(Explorer(study, pool).app(), token, port)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", http="h11",
            server_header=False, proxy_headers=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        on_ready(f"http://{HOST}:{port}/{token}/")
        _Server(config, pool).run(sockets=[listening])
    finally:
        pool.close()
        listening.close()
