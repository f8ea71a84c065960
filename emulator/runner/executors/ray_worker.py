"""A worker on Ray: the actor, in which a thread runs the worker loop, and the handle of the actor.

An actor keeps one base model for all trainings that it runs or helps. Its two methods are a pipe:
`tell` sends it a message, `hear` waits for its messages. This module does not import `ray`: a node
needs flasc-emu alone.
"""

import platform
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from typing_extensions import override

from emulator.common.errors import EmulationError
from emulator.runner.executors.pool import WorkerHandle
from emulator.runner.executors.worker_loop import serve
from emulator.runner.recording import RecordingServer, RemoteRecording
from emulator.runner.recording.remote import Pipe, Request
from emulator.runner.training_job import Options
from emulator.scenario.study import TrainingJob

MAX_UNREAD = 64  # messages; a worker with more waits
VERSION = version("flasc-emu")


@dataclass(frozen=True)
class Hello:
    """The first message of a worker: its node and its version of flasc-emu."""

    node: str
    version: str


class QueuePipe:
    """The worker's end of the pipe: two queues in its process."""

    def __init__(self) -> None:
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.outbox: queue.Queue[Any] = queue.Queue(MAX_UNREAD)

    def send(self, message: Any) -> None:
        """Send a message; waits while the queue is full."""
        self.outbox.put(message)

    def recv(self) -> Any:
        """The next message; waits for it."""
        return self.inbox.get()


def work(pipe: Pipe, options: Options) -> None:
    """Main function of a worker: what it trains is recorded on the machine of the run."""
    pipe.send(Hello(platform.node(), VERSION))
    serve(pipe, options, partial(RemoteRecording, pipe=pipe))


class RayActor:
    """The object in the actor."""

    def __init__(self, main: Callable[[Pipe, Options], None], options: Options) -> None:
        """Call `main` (`work`) with the worker's end of the pipe, in a thread."""
        self._pipe, self._main, self._options = QueuePipe(), main, options
        self._bug: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._main(self._pipe, self._options)
        except BaseException as bug:
            self._bug = bug
        self._pipe.send(None)

    def tell(self, message: Any) -> None:
        """Send a message to the worker."""
        self._pipe.inbox.put(message)

    def hear(self) -> list[Any]:
        """The next messages of the worker; None is the last one. Raises errors that are bugs."""
        heard = [self._pipe.outbox.get()]
        while not self._pipe.outbox.empty() and heard[-1] is not None:
            heard.append(self._pipe.outbox.get())
        if heard[-1] is None and self._bug:
            raise self._bug
        return heard


class RayWorker(WorkerHandle):
    """Handle of a worker on Ray; records what it trains.

    `heard` is the Ray reference to its next messages.
    """

    def __init__(self, ray: Any, actor: Any, store: Path) -> None:
        self._server: RecordingServer | None = None
        super().__init__()
        self.up, self._node, self._why = False, "", ""
        self._ray, self._actor, self._store = ray, actor, store
        self.heard = actor.hear.remote()

    @override
    def give(self, index: int, training: TrainingJob) -> None:
        settings = training.settings.model_dump(mode="json")
        self._server = RecordingServer(self._store, settings, weights=training.weights)
        super().give(index, training)

    @override
    def stop_training(self) -> None:
        super().stop_training()
        if self._server:
            self._server.close()

    @override
    def send(self, message: Any) -> None:
        self._actor.tell.remote(message)

    @override
    def receive(self) -> Sequence[Any]:
        # Raises EmulationError for another version of flasc-emu, StorageError if recording fails.
        exceptions = self._ray.exceptions
        try:
            heard = self._ray.get(self.heard)
        except exceptions.RayTaskError:
            raise  # a bug, with its traceback
        except exceptions.RayError as error:
            lines = str(error).strip().splitlines()
            self._why = lines["Error: " in lines[-1] and -1]  # the error, if there is one
            return [None]
        self.heard = self._actor.hear.remote()
        return [message for message in heard if not self._handled(message)]

    def _handled(self, message: Any) -> bool:
        """Handle a message that is not for the pool; False if it is."""
        if isinstance(message, Hello):
            if message.version != VERSION:
                raise EmulationError(
                    f"node {message.node}: found flasc-emu {message.version}; "
                    f"allowed: {VERSION}, as here",
                    "install the same version on every node",
                )
            self.up, self._node = True, message.node
        elif isinstance(message, Request):
            assert self._server is not None
            answer = self._server.do(message)
            if message.asked:
                self.send(answer)
        else:
            return False
        return True

    @override
    def terminate(self) -> None:
        self._ray.kill(self._actor)

    @override
    def end(self) -> None:
        self.terminate()
        if self._server:
            self._server.close()

    @override
    def died(self) -> EmulationError:
        where = f" on node {self._node}" if self._node else ""
        return EmulationError(
            f"its worker{where} died: {self._why}", "run the same command again to resume"
        )
