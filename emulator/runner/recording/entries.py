"""The entries of a recording, their ids and their validation."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from flasc.common.messages import MessageInfo, Score


def digest(value: object) -> str:
    """128 bits of SHA-256 over canonical JSON, as 32 hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEntry(MessageInfo):
    """A recorded message; `state` is the id of the state that it was made from."""

    state: str

    def values(self) -> dict[str, Any]:
        """The values by name in their order on disk."""
        return {"state": self.state} | asdict(self)


@dataclass(frozen=True, slots=True)
class Step:
    """One aggregation: from the state `parent`, by the updates (state, client), in this order."""

    parent: str
    uploads: tuple[tuple[str, int], ...]
    weights: tuple[float, ...]

    @property
    def id(self) -> str:
        """The id of the new state."""
        return digest(["aggregate", self.parent, self.uploads, self.weights])


Entry = TypeVar("Entry", MessageEntry, Score)
INVALID = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_FIELDS = {  # looked up once: a recording has thousands of entries
    kind: tuple((each.name, each.type) for each in fields(kind)) for kind in (MessageEntry, Score)
}
_LARGEST = 2**63 - 1  # integer, as in the ledger


def validated(entry: Entry) -> Entry:
    """`entry`, if a training can have its values. Raises ValueError."""
    for name, kind in _FIELDS[type(entry)]:
        value = getattr(entry, name)
        if kind is int:
            fits = type(value) is int and 0 <= value <= _LARGEST
        elif kind is float:
            fits = type(value) in (int, float) and math.isfinite(value)
        else:
            fits = type(value) is str or name == "by_label"  # checked before
        if not fits:
            raise ValueError(f"found {name} {value!r:.60}")
    return entry


def counts(found: Any) -> tuple[int, ...]:
    """`found` as a tuple of counts. Raises ValueError and TypeError."""
    counts = tuple(found)
    fits = set(map(type, counts)) <= {int} and min(counts, default=0) >= 0
    if not (fits and max(counts, default=0) <= _LARGEST):
        raise ValueError("found counts that are impossible")
    return counts


def correct_of(found: Any) -> tuple[int, int]:
    """`found` as (correct, total). Raises ValueError and TypeError."""
    right, of = counts(found)
    if right > of:
        raise ValueError(f"found {right} correct of {of}")
    return right, of
