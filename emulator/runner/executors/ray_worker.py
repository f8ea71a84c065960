"""A worker on Ray: an actor, in which a thread serves, and our end of what connects us to it.

An actor keeps one base model for all that it trains or helps with. Its two methods are a pipe:
`tell` puts a message in, `hear` waits for those that came out. Nothing in here imports `ray`: a
worker needs flasc-emu alone.
"""

import os
import platform
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from emulator.common.errors import EmulationError
from emulator.runner.executors.pool import WorkerHandle
from emulator.runner.executors.worker_loop import serve
from emulator.runner.recording import RecordingServer, RemoteRecording
from emulator.runner.recording.remote import Pipe, Request
from emulator.runner.training_job import Options
from emulator.scenario.study import TrainingJob

MOST_UNHEARD = 64  # messages: a worker that is further ahead waits

VERSION = version("flasc-emu")


@dataclass(frozen=True)
class Hello:
    """A worker's first word: where it is, and what it runs."""

    node: str
    version: str


class QueuePipe:
    """A worker's end: two queues in its process."""

    def __init__(self) -> None:
        self.told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.said: queue.Queue[Any] = queue.Queue(MOST_UNHEARD)

    def send(self, message: Any) -> None:
        """Say something, once there is room."""
        self.said.put(message)

    def recv(self) -> Any:
        """Wait for what is told."""
        return self.told.get()


def work(pipe: Pipe, options: Options) -> None:
    """A worker's life: what it trains is recorded at home."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    pipe.send(Hello(platform.node(), VERSION))
    serve(pipe, options, partial(RemoteRecording, pipe=pipe))


class RayActor:
    """What runs in the actor."""

    def __init__(self, life: Callable[[Pipe, Options], None], options: Options) -> None:
        """`life` is what it does with its end of the pipe: `work`."""
        self._tube, self._life, self._options = QueuePipe(), life, options
        self._bug: BaseException | None = None
        threading.Thread(target=self._live, daemon=True).start()

    def _live(self) -> None:
        try:
            self._life(self._tube, self._options)
        except BaseException as bug:
            self._bug = bug
        self._tube.send(None)

    def tell(self, message: Any) -> None:
        """Say something to the worker."""
        self._tube.told.put(message)

    def hear(self) -> list[Any]:
        """Wait for what it says; None is its last word. Raises what no worker should meet."""
        heard = [self._tube.said.get()]
        while not self._tube.said.empty() and heard[-1] is not None:
            heard.append(self._tube.said.get())
        if heard[-1] is None and self._bug:
            raise self._bug
        return heard


class RayWorker(WorkerHandle):
    """A worker on Ray as its crew sees it; what it records is recorded here.

    `heard` is the reference to what it says next.
    """

    def __init__(self, ray: Any, actor: Any, store: Path) -> None:
        self._home: RecordingServer | None = None
        super().__init__()
        self.up, self._node, self._why = False, "", ""
        self._ray, self._actor, self._store = ray, actor, store
        self.heard = actor.hear.remote()

    def give(self, index: int, training: TrainingJob) -> None:
        """A training to carry out, by its index."""
        self._home = RecordingServer(self._store, training.settings.model_dump(mode="json"))
        super().give(index, training)

    def stop_training(self) -> None:
        """Be without a training, and let go of its recording."""
        super().stop_training()
        if self._home:
            self._home.close()

    def send(self, message: Any) -> None:
        """Say something to it; where it is dead `receive` finds out."""
        self._actor.tell.remote(message)

    def receive(self) -> Sequence[Any]:
        """What it has to say to the crew; None where it has died.

        Raises EmulationError for a worker that runs another flasc-emu, StorageError where what it
        records cannot be.
        """
        exceptions = self._ray.exceptions
        try:
            heard = self._ray.get(self.heard)
        except exceptions.RayTaskError:
            raise  # a bug of ours, with its traceback
        except exceptions.RayError as error:
            lines = str(error).strip().splitlines()
            self._why = lines["Error: " in lines[-1] and -1]  # what raised, where something did
            return [None]
        self.heard = self._actor.hear.remote()
        return [message for message in heard if not self._settled(message)]

    def _settled(self, message: Any) -> bool:
        """Whether it was no matter of the crew's."""
        if isinstance(message, Hello):
            if message.version != VERSION:
                raise EmulationError(
                    f"node {message.node}: found flasc-emu {message.version}; "
                    f"allowed: {VERSION}, as here",
                    "install the same version on every node",
                )
            self.up, self._node = True, message.node
        elif isinstance(message, Request):
            assert self._home is not None
            answer = self._home.do(message)
            if message.asked:
                self.send(answer)
        else:
            return False
        return True

    def terminate(self) -> None:
        """End it: what it was told last is all that it does."""
        self._ray.kill(self._actor)

    def end(self) -> None:
        """End it."""
        self.terminate()
        if self._home:
            self._home.close()

    def died(self) -> EmulationError:
        """What to say of one that fell silent; after `end`."""
        where = f" on node {self._node}" if self._node else ""
        return EmulationError(
            f"its worker{where} died: {self._why}",
            "run the same command again to go on from where it stopped",
        )
