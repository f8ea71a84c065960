"""The form of the page: what it may change of a scenario, as texts, and the scenario they give.

A text is written as in a scenario file or after `--set KEY=`, and is validated in the same way.
"""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from emulator.common.errors import ScenarioError
from emulator.common.text import suggestion
from emulator.runner.answerable import require_answerable
from emulator.scenario import document
from emulator.scenario.document import MANY, Document
from emulator.scenario.key_path import dotted
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import Study, expand_variants, flattened
from emulator.scenario.yaml_nodes import Node, parse_yaml
from emulator.simulation.clients.presets import PRESETS
from emulator.simulation.target import ACCURACY, LOSS

PLACE = "the page"  # of an edited value, in messages
NAME = "the scenario"
Kind = Literal["rate", "duration", "share", "factor", "count", "value", "preset", "choice"]


@dataclass(frozen=True)
class Field:
    """One value: `name` is its key in the scenario, `text` what the scenario has, '' for nothing.

    Its `low` and `high` are the ends of a slider, in bit/s, seconds or 1. `placeholder` is what
    holds without a text, and `choices` are the texts of a list.
    """

    name: str
    label: str
    kind: Kind
    text: str
    low: float = 0.0
    high: float = 0.0
    placeholder: str = ""
    choices: tuple[tuple[str, str], ...] = ()  # text and label


@dataclass(frozen=True)
class Section:
    """A group of fields with a heading."""

    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Explored:
    """A scenario of the page: the study with its one variant, and what is simulated of it.

    `simulated` has the training as it was recorded: a target changes what is read from its scores,
    and not when it ends. Simulations with equal `key`s are equal.
    """

    study: Study
    simulated: Scenario
    key: str

    @property
    def scenario(self) -> Scenario:
        """The scenario with the target of the page."""
        return self.study.scenario

    @property
    def text(self) -> str:
        """The scenario as YAML; for message logs, its network, which is a file for --network."""
        data = self.study.document.data
        return document.dump({"network": data["network"]} if self.study.logs else data)

    @property
    def network(self) -> str:
        """The network as YAML: a file for --network."""
        return document.dump({"network": self.study.document.data["network"]})


_RATE = {"kind": "rate", "low": 1e4, "high": 1e9}
_ACCESS: Mapping[str, Mapping[str, Any]] = {
    "down": {"label": "download rate", **_RATE},
    "up": {"label": "upload rate", **_RATE},
    "up.ratio": {"label": "up to down", "kind": "factor", "low": 0.01, "high": 1.0},
    "rtt": {"label": "round-trip time", "kind": "duration", "low": 1e-3, "high": 2.0},
    "loss": {"label": "packet loss", "kind": "share", "low": 1e-4, "high": 0.1},
    "cells.clients": {"label": "clients per cell", "kind": "count", "low": 0, "high": 50},
    "cells.down": {"label": "cell, down", "placeholder": "50 Mbps", **_RATE},
    "cells.up": {"label": "cell, up", "placeholder": "20 Mbps", **_RATE},
}
_SERVER: Mapping[str, Mapping[str, Any]] = {
    "down": {"label": "receives at", **_RATE},
    "up": {"label": "sends at", **_RATE},
}


class Form:
    """The fields of a study, for each of its variants to start from.

    With many variants, one can start from the first ones.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._data = functools.cache(functools.partial(flattened, study))

    @property
    def starts(self) -> list[str]:
        """The variants to start from."""
        return list(self._study.variants)[:MANY]

    def sections(self, start: str) -> list[Section]:
        """The sections of the form for the variant `start`. Raises ScenarioError."""
        data = self._started(start)
        network = data["network"]
        found = [
            Section(title, tuple(_access(path, _at(data, path))))
            for title, path in _accesses(network).items()
        ]
        server = tuple(_fields(("network", "server"), network["server"], _SERVER))
        return [*found, Section("Server", server), Section("Rounds", tuple(self._rounds(data)))]

    def described(self, start: str) -> dict[str, Any]:
        """The form as plain data."""
        sections = [asdict(each) for each in self.sections(start)]
        name = self._study.scenario.name
        is_logged = bool(self._study.logs)
        return {"name": name, "starts": self.starts, "start": start, "logged": is_logged,
                "sections": sections}  # fmt: skip

    def explored(self, start: str, texts: Mapping[str, str]) -> Explored:
        """The scenario of the variant `start` with new texts of fields. Raises ScenarioError."""
        data = self._started(start)
        known = {each.name: each for section in self.sections(start) for each in section.fields}
        for name in texts:
            if name not in known:
                near = suggestion(name, list(known))
                raise ScenarioError(f"{PLACE}: found no field {name!r}{near}")
        changed = {name: text for name, text in texts.items() if text != known[name].text}
        whole = {name: each.text for name, each in known.items()} | changed
        tree = document.parse(document.dump(data), NAME)
        edited = document.with_overrides(tree, ())
        for path in _accesses(data["network"]).values():
            edited = edited.changed(list(_access_changes(path, changed, whole, edited.data)))
            edited = _without_overruled_preset(edited, path)
        edited = edited.changed(list(self._other_changes(data, changed)))
        study = self._study
        found = expand_variants(edited, NAME, study.only, logged=bool(study.logs))
        found = replace(found, logs=study.logs, packed=study.packed, run=study.run)
        if study.logs:
            require_answerable(found, data)
        training = study.variants[start].training
        simulated = found.scenario.model_copy(update={"training": training})
        kept = {key: each for key, each in edited.data.items() if key not in ("name", "training")}
        return Explored(found, simulated, json.dumps([start, kept], sort_keys=True))

    def _started(self, start: str) -> dict[str, Any]:
        if start not in self._study.variants:
            near = suggestion(start, self.starts)
            raise ScenarioError(f"{PLACE}: found no variant {start!r}{near}")
        found: dict[str, Any] = self._data(start)
        return found

    def _rounds(self, data: Mapping[str, Any]) -> Iterator[Field]:
        target, key = data["training"].get("target"), self._target_key(data)
        value = target.get(key) if isinstance(target, Mapping) else target
        low, high = (0.01, 1.0) if key == "accuracy" else (0.0, 0.0)
        name, label = dotted(("training", "target", key)), f"target {self._measure(key)}"
        yield Field(name, label, "value", _text(value), low, high, "the end of the run")
        policies: dict[str, str] = {}
        for start in self.starts:
            text, kind = _text(self._data(start).get("policy")), self._study.variants[start].policy
            policies.setdefault(text, f"{kind.kind} ({start})")
        if len(policies) > 1:
            choices = tuple(policies.items())
            yield Field("policy", "policy", "choice", _text(data.get("policy")), choices=choices)

    def _target_key(self, data: Mapping[str, Any]) -> str:
        goal, measure = self._study.scenario.training.goal, self._study.scenario.metric_measure
        target = data["training"].get("target")
        if isinstance(target, Mapping):
            return "loss" if target.get("loss") is not None else "accuracy"
        return "loss" if measure != ACCURACY or (goal and goal.measure == LOSS) else "accuracy"

    def _measure(self, key: str) -> str:
        metric: str = self._study.scenario.task.metric
        is_loss = key == "loss" and self._study.scenario.metric_measure == ACCURACY
        return LOSS if is_loss else metric

    def _other_changes(
        self, data: Mapping[str, Any], changed: Mapping[str, str]
    ) -> Iterator[tuple[Sequence[str], Node]]:
        """Changes of the server's link and of the rounds."""
        for way in _SERVER:
            path = ("network", "server", way)
            if dotted(path) in changed:
                yield path, _node(changed[dotted(path)])
        target = ("training", "target", self._target_key(data))
        if (text := changed.get(dotted(target))) is not None:
            if not text:
                yield target[:2], Node(None, PLACE)
            elif isinstance(data["training"].get("target"), Mapping):
                yield target, _node(text)
            else:
                yield target[:2], Node({target[2]: _node(text)}, PLACE)
        if "policy" in changed:
            yield ("policy",), _node(changed["policy"] or "synchronous")


def _accesses(network: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Titles and paths of the access links."""
    groups = network.get("groups")
    if not groups:
        return {"Clients": ("network", "clients")}
    return {f"Clients: {name}": ("network", "groups", name) for name in groups}


def _at(data: Any, path: Sequence[str]) -> Any:
    """The value at `path`; None if it is not there."""
    for step in path:
        data = data.get(step) if isinstance(data, Mapping) else None
    return data


def _access(path: tuple[str, ...], access: Mapping[str, Any]) -> Iterator[Field]:
    """The fields of an access link; a preset fills in keys without a text."""
    named = access.get("preset")
    about = [(name, f"{name}: {preset.about}") for name, preset in PRESETS.items()]
    yield Field(
        dotted((*path, "preset")), "preset", "preset", _text(named), choices=(("", "none"), *about)
    )
    yield from _fields(path, access, _ACCESS)


def _fields(
    path: tuple[str, ...], owner: Mapping[str, Any], of: Mapping[str, Mapping[str, Any]]
) -> Iterator[Field]:
    for key, options in of.items():
        value = _at(owner, key.split("."))
        if key == "up" and isinstance(value, Mapping) and "ratio" in value:
            value = None  # shown in the field of the ratio
        yield Field(dotted((*path, *key.split("."))), text=_text(value), **options)


def _text(value: Any) -> str:
    """A value as the text of a field; JSON is YAML."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _node(text: str) -> Node:
    """The value of a text; None, which deletes a key, if it is empty. Raises ScenarioError."""
    found = parse_yaml(text, PLACE, numbered=False)
    return Node(found.value if found else None, PLACE)


def _access_changes(
    path: tuple[str, ...],
    changed: Mapping[str, str],
    whole: Mapping[str, str],
    data: Mapping[str, Any],
) -> Iterator[tuple[Sequence[str], Node]]:
    """Changes of one access link; a key that is not there need not be deleted."""

    def of(texts: Mapping[str, str], key: str) -> str | None:
        return texts.get(dotted((*path, *key.split("."))))

    for key in ("preset", "down", "rtt", "loss"):
        if (text := of(changed, key)) is not None and (text or _at(data, (*path, key)) is not None):
            yield (*path, key), _node(text)
    if {of(changed, "up"), of(changed, "up.ratio")} != {None}:
        up, ratio = of(whole, "up") or "", of(whole, "up.ratio") or ""
        if ratio:
            yield (*path, "up"), Node({"ratio": _node(ratio)}, PLACE)
        elif up or _at(data, (*path, "up")) is not None:
            yield (*path, "up"), _node(up)
    cells = {key: of(changed, f"cells.{key}") for key in ("clients", "down", "up")}
    if (of(whole, "cells.clients") or "0") == "0":
        if _at(data, (*path, "cells")) is not None:
            yield (*path, "cells"), Node(None, PLACE)
        return
    for key, text in cells.items():
        if text is not None:
            yield (*path, "cells", key), _node(text)


def _without_overruled_preset(edited: Document, path: tuple[str, ...]) -> Document:
    """The document without a preset that fills in nothing."""
    access = _at(edited.data, path)
    preset = {str(name): each for name, each in PRESETS.items()}.get(str(access.get("preset")))
    if preset is None or not preset.settings().keys() <= access.keys():
        return edited
    return edited.changed([((*path, "preset"), Node(None, PLACE))])
