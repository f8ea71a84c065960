"""Hostile values and hostile bytes: how inputs are changed. Deterministic by its generator."""

import copy
import json
from random import Random
from typing import Any

NUMBERS = (
    0, -1, 1, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 10**30, 10**400, 1e-320, 1e300, -1e300,
    float("nan"), float("inf"), float("-inf"), 0.1, 1e15, 1e-15,
)  # fmt: skip
TEXTS = (
    "", " ", "1", "20", "20 Mbps", "1e300 Gbps", "1e999 s", "-5 ms", "0 bps", "1/0", "1/16", "99 %",
    "1e9 %", "nan", "NaN s", "inf Gbps", ".inf", "null", "~", "yes", "0x1F", "1_000", "../../etc/x",
    "/etc/passwd", "a\0b", "\x1b[31m", "\u202e", "🦙", "日本語 Mbps", "\u0661 Mbps", "ä" * 300,
    "x" * 5_000, "9" * 5_000, "9" * 400 + " Mbps", "*a", "&a", "!!python/object:os.system", "<<",
    "{", "lognormal", "devices", "trace", "synchronous", "fibre", "lora", "wifi", "\ud800",
    "\ufeff",
)  # fmt: skip
KEYS = (
    "",
    "kind",
    "extends",
    "file",
    "..",
    "a.b",
    "\0",
    "__class__",
    "model_config",
    "0",
    "é" * 99,
)
SNIPPETS = (
    b"\n? [a]\n: b\n", b"\nextends: %s\n", b"&a [*a]", b"!!python/object/apply:os.system ['x']",
    b"\t", b"\xff", b"\x00", b"---\n", b"%YAML 9.9\n", b"<<: *a\n", b"\r", b"|9\n",
    b'"\\U99999999"',
    b"[" * 500, b"{a: " * 100, b"\xef\xbb\xbf", b"\nname: twice\n", b"1" * 400, b"\xed\xa0\x80",
)  # fmt: skip


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in nested mappings and lists, but for the whole."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    found: list[tuple[Any, ...]] = []
    for key, inside in items:
        found.append((*at, key))
        if isinstance(inside, dict | list):
            found += places(inside, (*at, key))
    return found


def value(rng: Random, data: Any) -> Any:
    """A value where another one was expected: huge, of another type, deep, or from elsewhere."""
    match rng.randrange(8):
        case 0 | 1:
            return rng.choice(NUMBERS)
        case 2 | 3:
            return rng.choice(TEXTS)
        case 4:
            return rng.choice((None, True, False, [], {}, [[]], {"": None}, [{}, 1, "a"]))
        case 5:
            deep: Any = rng.choice(TEXTS)
            for _ in range(rng.choice((2, 20, 60, 200))):
                deep = [deep] if rng.random() < 0.5 else {"kind": deep}
            return deep
        case _:
            return copy.deepcopy(at(data, rng.choice(places(data))))


def at(data: Any, path: tuple[Any, ...]) -> Any:
    """What stands at `path`."""
    for step in path:
        data = data[step]
    return data


def changed(rng: Random, data: Any) -> Any:
    """A copy of `data`, with one to three things about it changed."""
    data = copy.deepcopy(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not data or not (found := places(data)):
            break
        path = rng.choice(found)
        parent, key = at(data, path[:-1]), path[-1]
        match rng.randrange(6):
            case 0:  # renamed
                new = rng.choice(KEYS) if rng.random() < 0.5 else f"{key}"[:-1] + rng.choice("aeé_")
                if isinstance(parent, dict):
                    parent[new] = parent.pop(key)
            case 1:
                del parent[key]
            case 2:  # the unit dropped, or another one
                old = parent[key]
                if isinstance(old, str) and " " in old:
                    parent[key] = old.split(" ")[0] + rng.choice(("", " ", " s", " Mbps", " TB"))
            case _:
                parent[key] = value(rng, data)
    return data


def damaged(rng: Random, raw: bytes) -> bytes:
    """A copy of `raw`, truncated, flipped, overwritten or with something put into it."""
    out = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 5))):
        spot = rng.randrange(len(out) + 1)
        match rng.randrange(6):
            case 0:
                del out[spot:]
            case 1 | 2 if out:
                out[spot % len(out)] ^= 1 << rng.randrange(8)
            case 3:
                out[spot:spot] = rng.choice(SNIPPETS)
            case 4:
                out[spot : spot + rng.randrange(1, 40)] = b""
            case _:
                other = rng.randrange(len(out) + 1)
                out[spot:spot] = out[other : other + rng.randrange(1, 200)]
    return bytes(out)


def written(rng: Random, data: Any) -> bytes:
    """Nested values as text: JSON, which is YAML too, with YAML's own names for no numbers."""
    text = json.dumps(data, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.7:
        text = text.replace("NaN", ".nan").replace("Infinity", ".inf")
    return text.encode("utf-8", "surrogatepass")


def lines(rng: Random, raw: bytes) -> bytes:
    """A file of JSON, whole or a line each, with one value of it changed."""
    try:
        entries = [json.loads(raw)]
    except ValueError:
        entries = [json.loads(line) for line in raw.splitlines()]
    number = rng.randrange(len(entries))
    entries[number] = changed(rng, entries[number])
    if rng.random() < 0.1:
        rng.shuffle(entries)
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


def tensors(rng: Random, raw: bytes) -> bytes:
    """A safetensors file with another header, or one of a length that is a lie."""
    length = int.from_bytes(raw[:8], "little")
    if rng.random() < 0.3:
        return rng.choice((2**63, 2**40, 10**8, 0, length + 1)).to_bytes(8, "little") + raw[8:]
    if rng.random() < 0.5:
        return damaged(rng, raw)
    header = json.dumps(changed(rng, json.loads(raw[8 : 8 + length]))).encode()
    return len(header).to_bytes(8, "little") + header + raw[8 + length :]
