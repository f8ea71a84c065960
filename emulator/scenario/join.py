"""One study of several that differ only in their methods, seeds and rounds."""

from collections.abc import Mapping, Sequence
from typing import Any

from emulator.common.errors import ScenarioError
from emulator.common.text import printable, short_repr
from emulator.scenario import document
from emulator.scenario.key_path import dotted
from emulator.scenario.study import Study, expand_variants

_FREE = ("rounds", "seeds")  # keys of `training` that may differ


def check_alike(studies: Mapping[str, Study]) -> None:
    """Raises ScenarioError with the first difference of two studies, given by their files."""
    (first, one), *others = studies.items()
    for name, other in others:
        path = _difference(*_comparable(one, other))
        if path:
            found, allowed = (_value(study, path) for study in (other, one))
            raise ScenarioError(
                f"{printable(name)}: {dotted(path)}: found {found}; allowed: {allowed}, as in "
                f"{printable(first)}",
                "join recordings of one scenario: only its methods, seeds and rounds may differ",
            )


def joined(studies: Sequence[Study], only: Sequence[str]) -> Study:
    """The study with the methods, seeds and most rounds of all `studies`, which are alike.

    It has the methods in `only`; if `only` is empty, those that one of the studies has.
    """
    data = studies[0].document.data
    methods: dict[str, Any] = {}
    for study in studies:
        for method, settings in study.document.data["methods"].items():
            methods.setdefault(method, settings)
    seeds = list(dict.fromkeys(seed for each in studies for seed in each.scenario.training.seeds))
    rounds = max(each.scenario.training.rounds for each in studies)
    changed: dict[str, Any] = {"rounds": rounds}
    if seeds != studies[0].scenario.training.seeds:
        changed["seeds"] = seeds
    data = data | {"methods": methods, "training": data["training"] | changed}
    name = "the joined scenario"
    whole = document.with_overrides(document.parse(document.dump(data), name), ())
    held = list(dict.fromkeys(method for study in studies for method in study.methods))
    return expand_variants(whole, name, only or held)


def _comparable(one: Study, other: Study) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both scenarios as data, without what may differ (a note says nothing of the training)."""
    both = [each.scenario.model_dump(mode="json", by_alias=True) for each in (one, other)]
    shared = both[0]["methods"].keys() & both[1]["methods"].keys()
    for data in both:
        data.pop("note", None)
        data["methods"] = {name: data["methods"][name] for name in shared}
        data["training"] = {k: v for k, v in data["training"].items() if k not in _FREE}
    return both[0], both[1]


def _difference(one: Any, other: Any, path: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The path of the first value that differs; () if there is none."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one | other:
            here = (*path, key)
            if (key in one) != (key in other):
                return here
            if found := _difference(one.get(key), other.get(key), here):
                return found
        return ()
    return () if one == other else path


def _value(study: Study, path: Sequence[str]) -> str:
    """The value at `path` as it is written in a scenario."""
    data: Any = study.document.data
    for step in path:
        if not (isinstance(data, dict) and step in data):
            return "none"
        data = data[step]
    return short_repr(data)
