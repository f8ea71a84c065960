"""A first scenario for somebody to change: YAML with comments, and the schema beside it."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from emulator.errors import ScenarioError
from emulator.files import replace, storage
from emulator.nodes import printable, quoted
from emulator.presets import PRESETS
from emulator.schema import FILE_NAME, scenario_schema
from emulator.study import read

# One line a kind that can stand alone; the rest is in docs/methods.md.
METHODS = {
    "lora": "LoRA: {kind: lora}",
    "head": "head only: {kind: head}",
    "flasc": "FLASC 1/4 down, 1/16 up: {kind: flasc, down: 1/4, up: 1/16}",
    "sparse_adapter": "SparseAdapter 1/4: {kind: sparse_adapter, density: 1/4}",
    "full": "everything: {kind: full}",
}

_HEAD = f"""\
# yaml-language-server: $schema={FILE_NAME}
# What it would do: flasc-emu check FILE. Every key: docs/scenarios.md, flasc-emu list.
"""
_WHOLE = """\
name: {name}

task:
  name: 20newsgroups
  model: minilm               # or a local folder (./model), or a hub id (owner/name)
  clients: {clients}
  tokens: 32                  # texts are cut and padded to so many
  split: {{kind: dirichlet, alpha: 0.1}}       # the smaller alpha, the less alike clients are

training:
  rounds: 36                  # at most
  cohort: {cohort:<19} # clients a round
  seeds: [0]                  # several tell a difference from luck: [0, 1, 2, 3, 4]
  target: {{accuracy: {target}}}    # on the validation split; times are times to it
  evaluation: {{every: 3, examples: 800}}
  lora: {{rank: 16}}
  client: {{lr: 0.1}}
  server: {{kind: adamw, lr: 0.01}}

methods:                      # the names are yours; a method may have its own rank and rates
{methods}

network:
  server: {{down: 1 Gbps, up: 1 Gbps}}         # shared by all who send or receive
  clients: {link}

# Variants: every combination of one label from each axis. One training serves them all where only
# the network differs.
# vary:
#   distance:
#     near: {{network.clients.rtt: 10 ms}}
#     far: {{network.clients.rtt: 200 ms}}
"""
_LINK = "{down: 20 Mbps, up: 5 Mbps, rtt: 40 ms}"


def whole(
    name: str,
    preset: str | None = None,
    clients: int = 350,
    methods: Sequence[str] = ("lora", "head", "flasc"),
    target: str = "50 %",
) -> str:
    """A scenario that needs no other; `preset` None is a plain link, `target` a fraction."""
    about = f"   # {PRESETS[preset].about}" if preset in PRESETS else ""
    return _HEAD + _WHOLE.format(
        name=name,
        clients=clients,
        cohort=min(10, clients),
        target=target,
        methods="\n".join(f"  {METHODS[kind]}" for kind in methods),
        link=f"{{preset: {preset}}}{about}" if preset else _LINK,
    )


def extending(name: str, base: Path, file: Path) -> str:
    """A scenario in `file` that builds on the one at `base`. Raises ScenarioError."""
    scenario = read(base).scenario
    path = Path(os.path.relpath(base.resolve(), file.parent.resolve())).as_posix()
    lines = [f"extends: {json.dumps(path)}", f"name: {name}", ""]
    lines += [
        "# Mappings merge with the inherited ones, the rest replaces, null deletes.",
        "# methods:",
    ]
    lines += [f"#   {_key(method)}: null" for method in scenario.methods]
    if scenario.vary:
        lines += ["# vary:", *(f"#   {_key(axis)}: null" for axis in scenario.vary)]
    lines += ["# training:", f"#   rounds: {scenario.training.rounds}"]
    return _HEAD + "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return json.dumps(printable(name)) if quoted(name)[0] == '"' or ":" in name else name


def name_for(file: Path) -> str:
    """What a scenario in `file` may be called."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("._-")[:100] or "scenario"


def write(file: Path, text: str) -> Path:
    """Write a new `file` and the schema beside it; the schema's path.

    Raises ScenarioError where there is a file already, and StorageError.
    """
    if file.exists():
        raise ScenarioError(f"{file}: is there already", "name another file, or move it away")
    schema = file.parent / FILE_NAME
    with storage(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        replace(schema, json.dumps(scenario_schema(), indent=1, ensure_ascii=False).encode())
        replace(file, text.encode())
    return schema
