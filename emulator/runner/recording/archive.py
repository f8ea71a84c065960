"""Packed recordings: all that is needed to replay a study, in one small file.

The file is the gzip (RFC 1952) of one JSON object (RFC 8259): the study's `scenario` (YAML) and
`methods`, and for each of its `trainings` the settings, the provenance and the entries as rows.
States are numbers: 0 is the root and n the result of the n-th step. Their ids are hashes of the
settings and the steps, so they are not stored. Models and saved states are not included.

    ["download", state, client, nbytes, value_bytes, examples, steps], and "upload"
    ["step", parent, [[state, client], ...], [weight, ...]]
    ["score", state, split, examples, accuracy, loss], and [[correct, total] per label]
    ["about", [examples of each client], flop_per_example], and [[per label], ...] if known
"""

import contextlib
import gzip
import json
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from emulator.common.errors import RecordingError
from emulator.common.files import storage
from emulator.runner.recording.entries import Step
from emulator.runner.recording.identity import root_of
from emulator.runner.recording.store import Recording
from flasc.common.messages import MessageInfo

KIND = "flasc-emu packed recording 1"
MAX_BYTES = 2**26  # unpacked: about a million entries
# The names of the values of a row, in their order.
_ABOUT = ("examples", "flop_per_example", "labels")
_MESSAGE = ("state", *(each.name for each in fields(MessageInfo)))
_SCORE = ("state", "split", "examples", "accuracy", "loss", "by_label")
_BAD = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Archive:
    """The content of a file: a scenario as YAML, its methods, and trainings as above."""

    path: Path
    scenario: str
    methods: list[str]
    trainings: list[Mapping[str, Any]]


def pack(scenario: str, methods: Sequence[str], recordings: Iterable[Recording]) -> bytes:
    """The content of the file; the same for the same entries. Raises RecordingError."""
    trainings = [
        {"settings": each.settings, "provenance": each.provenance(), "facts": list(_rows(each))}
        for each in recordings
    ]
    whole = {"kind": KIND, "scenario": scenario, "methods": methods, "trainings": trainings}
    text = json.dumps(whole, separators=(",", ":"), allow_nan=False)
    if len(text) > MAX_BYTES:  # `read` would refuse it
        raise RecordingError(
            f"found {len(text)} bytes to pack; allowed: {MAX_BYTES}",
            "pack a part of it: --method NAME, or --set training.seeds=[0]",
        )
    return gzip.compress(text.encode(), mtime=0)


def _rows(recording: Recording) -> Iterator[list[Any]]:
    numbers = {state: n for n, state in enumerate([recording.root, *recording.steps])}
    about = recording.about
    if about.examples is not None:
        known = [] if about.labels is None else [about.labels]
        yield ["about", about.examples, about.flop_per_example, *known]
    for step in recording.steps.values():
        uploads = [[numbers[state], client] for state, client in step.uploads]
        yield ["step", numbers[step.parent], uploads, step.weights]
    for kind, entries in (("download", recording.downloads), ("upload", recording.uploads)):
        for entry in entries.values():
            state, *values = entry.values().values()
            yield [kind, numbers[state], *values]
    for (state, split), score in recording.scores.items():
        known = [score.by_label] if score.by_label else []
        yield ["score", numbers[state], split, score.examples, score.accuracy, score.loss, *known]


def is_packed(path: Path) -> bool:
    """Whether a file begins like a packed recording. A pipe is not read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(2) == b"\x1f\x8b"  # of gzip
    except OSError:
        return False


def read(path: Path) -> Archive:
    """The packed recording at `path`. Raises RecordingError."""
    try:
        with gzip.open(path) as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        found = json.loads(content, parse_constant=_refuse)
        if found["kind"] != KIND:
            raise ValueError(f"kind {found['kind']!r:.60}")
        scenario, methods, trainings = found["scenario"], found["methods"], found["trainings"]
        texts = isinstance(methods, list) and all(type(each) is str for each in methods)
        if not (texts and type(scenario) is str and isinstance(trainings, list)):
            raise ValueError("no scenario, methods and trainings")
        return Archive(path, scenario, methods, trainings)
    except (OSError, EOFError, zlib.error, *_BAD) as error:
        raise _foreign(path, str(error)) from error


def _refuse(constant: str) -> None:
    raise ValueError(f"the number {constant}")


def _foreign(path: Path, why: str) -> RecordingError:
    return RecordingError(
        f"{path}: not a packed recording: found {why:.200}",
        "get the file again, or run its scenario",
    )


class Extracted(NamedTuple):
    """A folder of recordings, and the same recordings in memory, by the names of their folders."""

    folder: Path
    recordings: Mapping[str, Recording]


@contextlib.contextmanager
def extracted(path: Path) -> Iterator[Extracted]:
    """The recordings in the file at `path`, in a temporary folder.

    Raises RecordingError and StorageError.
    """
    found = read(path)
    recordings: dict[str, Recording] = {}
    with contextlib.ExitStack() as stack:
        with storage(Path(tempfile.gettempdir())):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="flasc-emu-"))
        for number, training in enumerate(found.trainings, 1):
            try:
                recording = _unpack(training, Path(folder))
            except RecordingError as error:
                raise _foreign(path, f"in training {number}: {error.message}") from error
            except _BAD as error:
                raise _foreign(path, f"in training {number}: {error!r}") from error
            recordings[recording.root] = recording
        yield Extracted(Path(folder), recordings)


def _unpack(training: Mapping[str, Any], store: Path) -> Recording:
    """The recording of a packed training, written to `store` and validated."""
    settings, provenance = dict(training["settings"]), dict(training["provenance"])
    root = root_of(store, settings, "")
    entries = list(_entries(root, training["facts"]))
    whole = json.dumps({"settings": settings, "provenance": provenance})
    with storage(store):
        (store / root).mkdir(exist_ok=True)
        (store / root / "settings.json").write_text(whole, "utf-8")
        (store / root / "log.jsonl").unlink(missing_ok=True)  # of a training that is packed twice
    recording = Recording(store, settings)
    recording.fill(entries)
    return recording


def _entries(root: str, rows: Sequence[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """The rows as entries of a log. Raises an error of `_BAD` for an invalid row."""
    states = [root]

    def state(number: object) -> str:
        if type(number) is not int or number < 0:
            raise ValueError(f"state {number!r:.60}")
        return states[number]

    for kind, *values in rows:
        match kind:
            case "about":
                yield {"fact": "about", **_named(_ABOUT, values, optional=1)}
            case "step":
                parent, uploads, weights = values
                uploads = tuple((state(n), int(client)) for n, client in uploads)
                step = Step(state(parent), uploads, tuple(map(float, weights)))
                states.append(step.id)
                known = {"parent": step.parent, "uploads": step.uploads, "weights": step.weights}
                yield {"fact": "aggregate", "state": states[-1], **known}
            case "download" | "upload":
                number, *rest = values
                yield {"fact": kind, **_named(_MESSAGE, [state(number), *rest])}
            case "score":
                number, *rest = values
                yield {"fact": "evaluate", **_named(_SCORE, [state(number), *rest], optional=1)}
            case _:
                raise ValueError(f"entry {kind!r:.60}")


def _named(names: Sequence[str], values: Sequence[Any], optional: int = 0) -> dict[str, Any]:
    """Values by name; the last `optional` ones may be absent. Raises ValueError."""
    return dict(zip(names[: max(len(values), len(names) - optional)], values, strict=True))
