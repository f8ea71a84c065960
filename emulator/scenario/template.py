"""Texts of new scenarios: YAML with comments, and the JSON Schema beside it."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from emulator.common.errors import ScenarioError
from emulator.common.files import replace, storage
from emulator.common.text import printable
from emulator.scenario import document, networks, shipped
from emulator.scenario.json_schema import FILE_NAME, scenario_schema
from emulator.scenario.key_path import quoted
from emulator.scenario.study import expand_variants
from emulator.simulation.clients.presets import PRESETS

# One line per method; see docs/background/methods.md. Learning rates: docs/background/tuning.md.
METHODS = {
    "lora": "LoRA: {kind: lora, server_lr: 0.01}",
    "head": "head only: {kind: head, server_lr: 0.1}",
    "flasc": "FLASC 1/4 down, 1/16 up: {kind: flasc, down: 1/4, up: 1/16}",
    "sparse_adapter": "SparseAdapter 1/4: {kind: sparse_adapter, density: 1/4}",
    "full": "everything: {kind: full, client_lr: 0.01, server_lr: 0.001}",
}

_HEAD = f"""\
# yaml-language-server: $schema={FILE_NAME}
# Show what a run would do: flasc-emu check FILE. All keys: docs/reference/scenario_keys.md.
# All names: flasc-emu list.
"""
_WHOLE = """\
name: {name}

{task}
training:
  rounds: 36                  # maximum
  cohort: {cohort:<19} # clients per round
  seeds: [0]                  # several for a significance test: [0, 1, 2, 3, 4]
  # A training ends when the mean of three evaluations in a row reaches the target.
  target: {{{target}, rule: mean3, stop_after: 0}}
  evaluation: {{every: 3, examples: 800}}
  lora: {{rank: 16}}
  client: {{lr: 0.1}}
  server: {{kind: adamw, lr: 0.02}}

methods:                      # names are free; a method may set its own rank and rates
{methods}

{network}
# Variants: all combinations of one label per axis. Variants that differ only in the network share
# one training.
# vary:
#   server:
#     data centre: {{network.server: {{down: 10 Gbps, up: 10 Gbps}}}}
#     home: {{network.server: {{down: 100 Mbps, up: 10 Mbps}}}}
"""
_TASK = """\
task:
  name: 20newsgroups
  model: minilm               # or a local folder (./model), or a hub id (owner/name)
  clients: {clients}
  tokens: 32                  # texts are cut and padded to this length
  split: {{kind: dirichlet, alpha: 0.1}}       # smaller alpha: clients differ more
"""
_NETWORK = """\
network:
  server: {{down: 1 Gbps, up: 1 Gbps}}         # shared by all transfers
  clients: {link}
"""
_LINK = "{down: 20 Mbps, up: 5 Mbps, rtt: 40 ms}"


def whole(
    name: str,
    preset: str | None = None,
    clients: int = 350,
    methods: Sequence[str] = ("lora", "head", "flasc"),
    target: str = "accuracy: 50 %",
    network: str | None = None,
    task: str | None = None,
) -> str:
    """The text of a scenario without `extends`; `target` is a metric and its value.

    The clients have the links of `preset` or, if it is None, a plain link. The text `network`
    replaces both: see `network_text`. The text `task` replaces the task.
    """
    about = f"   # {PRESETS[preset].about}" if preset in PRESETS else ""
    link = f"{{preset: {preset}}}{about}" if preset else _LINK
    return _HEAD + _WHOLE.format(
        name=name,
        task=task or _TASK.format(clients=clients),
        cohort=min(10, clients),
        target=target,
        methods="\n".join(f"  {METHODS[kind]}" for kind in methods),
        network=network or _NETWORK.format(link=link),
    )


def network_text(file: Path) -> str:
    """The text of a network file, or of the network of that name. Raises ScenarioError."""
    file = shipped.located(file, shipped.networks())
    networks.network_in(file)
    text = file.read_text("utf-8")
    if found := re.search(r"^(\{|extends)|\bfile(?=['\"]?\s*:)", text, re.MULTILINE):
        raise ScenarioError(
            f"{file}: found {found[0].strip()!r}; allowed: a network without extends and files",
            f"name it in the scenario instead: extends: {file}",
        )
    return text.rstrip() + "\n"


def extending(name: str, base: Path, file: Path) -> str:
    """The text of a scenario in `file` that extends the one at `base`, a path or a name.

    Raises ScenarioError."""
    source = shipped.located(base, shipped.scenarios())
    tree = document.with_overrides(document.read(source), ())
    scenario = expand_variants(tree, str(base)).scenario
    path = Path(os.path.relpath(base.resolve(), file.parent.resolve())).as_posix()
    path = path if source == base else base.as_posix()
    lines = [f"extends: {json.dumps(path)}", f"name: {name}", ""]
    lines += [
        "# Mappings merge with inherited ones; other values replace them; null deletes.",
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
    """The name of a scenario in `file`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("._-")[:100] or "scenario"


def write(file: Path, text: str) -> Path:
    """Write a new `file` and the schema beside it; return the path of the schema.

    Raises ScenarioError if the file exists, and StorageError.
    """
    if file.exists():
        raise ScenarioError(f"{file}: exists already", "name another file, or move it away")
    schema = file.parent / FILE_NAME
    with storage(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        replace(schema, json.dumps(scenario_schema(), indent=1, ensure_ascii=False).encode())
        replace(file, text.encode())
    return schema
