"""Text for messages: escaping, "did you mean", and common synonyms."""

import difflib
import json
from collections.abc import Collection, Iterable


def printable(text: str) -> str:
    """`text` in one line: control and other unprintable characters are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def short_repr(value: object) -> str:
    """A found value for a message, in at most 60 printable characters."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str, skipkeys=True)
    text = printable(text)
    return text if len(text) <= 60 else text[:59] + "…"


def nearest(name: str, allowed: Iterable[str], least: float = 0.6) -> str | None:
    """The most similar of `allowed`, ignoring case; None if the similarity is below `least`.

    The similarity is difflib's ratio: 1 for equal names.
    """
    folded = {one.casefold(): one for one in allowed}
    match = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=least)
    return folded[match[0]] if match else None


def suggestion(found: object, allowed: Collection[str], what: str = "") -> str:
    """The end of a message about a wrong name: '; did you mean ...? allowed: ...'."""
    if not allowed:
        return ""
    near = closest(found, allowed) if isinstance(found, str) else ""
    return f"; {f'did you mean {near}? ' if near else ''}allowed: {what}{', '.join(allowed)}"


def closest(name: str, allowed: Collection[str]) -> str:
    """The names of `allowed` that a wrong name most likely means, in quotes; or ''."""
    near = nearest(name, allowed)
    names = by_synonym(name, allowed) or ([near] if near else [])
    return " and ".join(map(repr, names))


SYNONYMS = {
    # policies and methods by their papers
    "async": ("asynchronous",),
    "fedasync": ("asynchronous",),
    "fedavg": ("lora", "synchronous"),
    "fedbuff": ("buffered",),
    "fedit": ("lora",),
    "sync": ("synchronous",),
    # schedules of the server's learning rate
    "cos": ("cosine",),
    "decay_rate": ("decay",),
    "final_fraction": ("final",),
    "inverse_time": ("inverse",),
    "learning_rate": ("lr",),
    "lr_schedule": ("schedule", "server_schedule"),
    "scheduler": ("schedule", "server_schedule"),
    "steps": ("rounds",),
    "warm_up": ("warmup",),
    "warmup_rounds": ("warmup",),
    "warmup_steps": ("warmup",),
    # links
    "bandwidth": ("down", "up"),
    "delay": ("rtt",),
    "downlink": ("down",),
    "download": ("down",),
    "latency": ("rtt",),
    "loss_rate": ("loss",),
    "packet_loss": ("loss",),
    "ping": ("rtt",),
    "rate": ("down", "up"),
    "round_trip": ("rtt",),
    "speed": ("down", "up"),
    "throughput": ("down", "up"),
    "uplink": ("up",),
    "upload": ("up",),
}


def by_synonym(name: str, allowed: Collection[str]) -> list[str]:
    """The names of `allowed` for which `name` is a synonym."""
    word = name.casefold().replace("-", "_").replace(" ", "_")
    return [each for each in SYNONYMS.get(word, ()) if each in allowed]


def counted(n: int, what: str) -> str:
    """A number of things: '1 round', '2 rounds'."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
