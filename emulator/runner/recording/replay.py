"""`RecordingTrainer`: reads known results from a recording, trains unknown ones."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from typing_extensions import override

from emulator.common.errors import RecordingError
from emulator.runner.recording.entries import MessageEntry, Step
from emulator.runner.recording.identity import differences
from emulator.runner.recording.store import Recording
from emulator.simulation.trainer import Trainer
from flasc.common.messages import MessageInfo, Score, TrainingMetadata

KEEP_EVERY = 10  # rounds between saved states; the newest state is saved as well


class LiveTrainer(Trainer, Protocol):
    """A trainer whose state can be saved, restored and exported."""

    def snapshot(self) -> dict[str, np.ndarray]:
        """The whole state as arrays by name."""

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Continue exactly from a snapshot."""

    def export(self, folder: Path) -> None:
        """Write the current model to a folder."""


class RecordingTrainer(Trainer):
    """A trainer with a recording. `make` builds the real trainer when it is first needed.

    `trained` counts the server steps that were computed, `replayed` those that were recorded
    before, each once, however many simulations ask for it.
    `waiting` is called if another process trains the same and this one has to wait for it,
    `mixing` with the differences if the recording was made on another device or with other
    versions.
    """

    def __init__(
        self,
        recording: Recording,
        make: Callable[[], tuple[LiveTrainer, Mapping[str, str]]],
        waiting: Callable[[], None] = lambda: None,
        mixing: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.recording, self._make = recording, make
        self._waiting, self._mixing = waiting, mixing
        self._live: LiveTrainer | None = None
        self._live_state = ""
        self._held = contextlib.ExitStack()
        # Real messages for later calls: downloads not yet trained, uploads not yet aggregated.
        self._downloads: dict[tuple[str, int], MessageInfo] = {}
        self._uploads: dict[tuple[str, int], MessageInfo] = {}
        self.state = recording.root
        self._computed: set[str] = set()  # ids of steps
        self._replayed: set[str] = set()

    @property
    def trained(self) -> int:
        """Number of server steps that were computed."""
        return len(self._computed)

    @property
    def replayed(self) -> int:
        """Number of server steps that were recorded before."""
        return len(self._replayed - self._computed)

    @property
    def trained_steps(self) -> frozenset[str]:
        """The ids of the server steps that were computed."""
        return frozenset(self._computed)

    @property
    def replayed_steps(self) -> frozenset[str]:
        """The ids of the server steps that were recorded before, also by this trainer."""
        return frozenset(self._replayed)

    def restart(self) -> None:
        """Return to the root, where each simulation starts."""
        self.state = self.recording.root

    def close(self) -> None:
        """Release the recording."""
        self._held.close()

    # -- the interface of a trainer

    @override
    def download(self, client: int) -> MessageEntry:
        key = (self.state, client)
        if key not in self.recording.downloads and key not in self._at(self.state).downloads:
            assert self._live is not None
            self._downloads[key] = self._live.download(client)
            self._add("download", self.state, self._downloads[key])
        return self.recording.downloads[key]

    @override
    def train(self, downloads: Sequence[MessageInfo]) -> list[MessageEntry]:
        keys = [(_entry(d).state, d.client) for d in downloads]
        if any(key not in self.recording.uploads for key in keys):
            self._open()
            unknown = dict.fromkeys(k for k in keys if k not in self.recording.uploads)
            self._train(list(unknown))
        return [self.recording.uploads[key] for key in keys]

    @override
    def aggregate(self, uploads: Sequence[MessageInfo], weights: Sequence[float]) -> None:
        step = Step(
            self.state,
            tuple((_entry(upload).state, upload.client) for upload in uploads),
            tuple(weights),
        )
        if step.id in self.recording.steps or step.id in self._open().steps:
            self._replayed.add(step.id)
        else:
            missing = [k for k in dict.fromkeys(step.uploads) if k not in self._uploads]
            if self._live_state != self.state:
                self._rebuild(self.state, frozenset(step.uploads))
            else:
                self._train(missing)
            self._step(step)
            for key in set(step.uploads):
                del self._uploads[key]
            self.recording.add("aggregate", durable=True, state=step.id, **asdict(step))
            self._keep(step)
            self._computed.add(step.id)
        self.state = step.id

    @override
    def evaluate(self, split: str) -> Score:
        key = (self.state, split)
        if key not in self.recording.scores and key not in self._at(self.state).scores:
            assert self._live is not None
            score = self._live.evaluate(split)
            values = asdict(score)
            if not score.by_label:
                del values["by_label"]
            self.recording.add("evaluate", state=self.state, split=split, **values)
        return self.recording.scores[key]

    @override
    def release(self, messages: Sequence[MessageInfo]) -> None:
        # If a real message is needed after all, it is made again.
        for message in messages:
            key = (_entry(message).state, message.client)
            self._downloads.pop(key, None)
            self._uploads.pop(key, None)

    @override
    def metadata(self, require_flops: bool = False) -> TrainingMetadata:
        if require_flops and self.recording.about.flop_per_example is None:
            self._open()
        return self.recording.about

    def export(self) -> Path | None:
        """The folder in the recording with the current model, which is exported once.

        None if the model would have to be trained again, as in a recording without states. Raises
        StorageError.
        """
        if folder := self.recording.model(self.state):
            return folder
        if self._live_state != self.state and not self.recording.has_state(self.state):
            return None
        self._at(self.state)
        assert self._live is not None
        return self.recording.keep_model(self.state, self._live.export)

    # -- the real trainer behind it

    def _open(self) -> Recording:
        """Make the real trainer and lock the recording, at the first call."""
        if self._live is None:
            self._live, provenance = self._make()
            self._held.enter_context(self.recording.writing(provenance, self._waiting))
            if other := differences(self.recording.provenance(), provenance):
                self._mixing(other)
            self._live_state = self.recording.root
            if not self.recording.has_state(self.recording.root):
                self.recording.save_state(self.recording.root, self._live.snapshot())
            if self.recording.about.labels is None:
                self._add_metadata(self._live.metadata())
        return self.recording

    def _add_metadata(self, metadata: TrainingMetadata) -> None:
        if metadata.examples is not None and metadata.flop_per_example is not None:
            values: dict[str, Any] = {"examples": [int(count) for count in metadata.examples]}
            values["flop_per_example"] = float(metadata.flop_per_example)
            if metadata.labels is not None:  # None: read from an older recording
                values["labels"] = [[int(count) for count in held] for held in metadata.labels]
            self.recording.add("about", **values)

    def _at(self, state: str) -> Recording:
        """Bring the real trainer to `state`."""
        self._open()
        if self._live_state != state:
            self._rebuild(state, frozenset())
        return self.recording

    def _rebuild(self, state: str, wanted: frozenset[tuple[str, int]]) -> None:
        """Restore the nearest saved state and repeat the known steps up to `state`.

        The uploads of those steps and the `wanted` ones are trained again on the way, unless they
        are held; the start is early enough for all of them. Held uploads stay held: a client may
        have trained twice from one version, or its update may still be in transit.
        """
        assert self._live is not None
        steps: list[Step] = []
        needed = {key for key in wanted if key not in self._uploads}
        passed, at = {state}, state
        while not self.recording.has_state(at) or any(s not in passed for s, _ in needed):
            step = self.recording.steps[at]
            steps.append(step)
            needed |= {key for key in step.uploads if key not in self._uploads}
            at = step.parent
            passed.add(at)
        held = frozenset(self._uploads)
        arrays = self.recording.load_state(at)
        try:
            self._live.restore(arrays)
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            why = f"not a state of this training: {error!r}"
            raise self.recording.damaged(at, why) from error
        self._live_state = at
        for step in reversed(steps):
            self._train_live(sorted(key for key in needed if key[0] == at))
            self._step(step)
            at = step.id
        self._train_live(sorted(key for key in needed if key[0] == at))
        for key in needed - wanted - held:
            del self._uploads[key]

    def _train(self, keys: Sequence[tuple[str, int]]) -> None:
        """Train the uploads of `keys` from their versions."""
        if all(key[0] == self._live_state or key in self._downloads for key in keys):
            self._train_live(keys)
        else:
            self._rebuild(self.state, frozenset(keys))

    def _train_live(self, keys: Sequence[tuple[str, int]]) -> None:
        """Train from the live version or from held downloads. Raises RecordingError."""
        assert self._live is not None
        if not keys:
            return
        downloads = [
            self._downloads.pop(key) if key in self._downloads else self._live.download(key[1])
            for key in keys
        ]
        for key, upload in zip(keys, self._live.train(downloads), strict=True):
            self._uploads[key] = upload
            known = self.recording.uploads.get(key)
            if known is None:
                self._add("upload", key[0], upload)
            elif (known.nbytes, known.examples) != (upload.nbytes, upload.examples):
                raise RecordingError(
                    f"{self.recording.folder}: trained again, client {key[1]} sends "
                    f"{upload.nbytes} bytes; {known.nbytes} were recorded",
                    "the recording was made on another kind of machine or with other versions "
                    "(see its settings.json): resume there, or give another --recordings folder",
                )

    def _step(self, step: Step) -> None:
        assert self._live is not None
        assert self._live_state == step.parent
        self._live.aggregate([self._uploads[key] for key in step.uploads], step.weights)
        self._live_state = step.id

    def _keep(self, step: Step) -> None:
        """Save the newest state; delete the one before, except one per KEEP_EVERY rounds."""
        assert self._live is not None
        self.recording.save_state(step.id, self._live.snapshot())
        if self.recording.depth(step.parent) % KEEP_EVERY:
            self.recording.drop_state(step.parent)

    def _add(self, kind: str, state: str, message: MessageInfo) -> None:
        own = {each.name: getattr(message, each.name) for each in fields(MessageInfo)}
        self.recording.add(kind, **MessageEntry(state=state, **own).values())


def _entry(message: MessageInfo) -> MessageEntry:
    assert isinstance(message, MessageEntry), "messages of this trainer only"
    return message
