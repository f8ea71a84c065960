"""What message logs cannot answer: what would need another training, or facts that they lack."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emulator.common.errors import KeyPath, MessageLogError
from emulator.common.text import printable, short_repr
from emulator.scenario.key_path import dotted
from emulator.scenario.scenario import Scenario, Training
from emulator.scenario.study import Study
from emulator.simulation.policies.synchronous import Synchronous
from emulator.simulation.rounds.logged import Logs, titled
from emulator.simulation.selection.uniform import Uniform

LOGGED = "a log has the training as it was: who took part, and what was learned"
ALLOWED = "network, compute.per_example, training.target, training.seeds, network_seeds and name"


def require_answerable(study: Study, scenario: Mapping[str, Any]) -> None:
    """Raise MessageLogError for the first setting that the logs of `study` cannot answer.

    `scenario` is that of the logs alone, without what the user set.
    """
    for label, variant in study.variants.items():
        for path, why in _problems(variant, scenario, study):
            where = study.document.where(tuple(map(str, path)))
            of = f" (variant {printable(label)})" if len(study.variants) > 1 else ""
            raise MessageLogError(
                f"{where}: {dotted(path)}{of}: {why}", f"with message logs, set only {ALLOWED}"
            )


def _problems(
    variant: Scenario, scenario: Mapping[str, Any], study: Study
) -> Iterator[tuple[KeyPath, str]]:
    yield from _trained(variant, scenario)
    if unknown := _unlogged_seeds(variant.training.seeds, study.logs):
        yield ("training", "seeds"), unknown
    for name, access in variant.network.accesses.items():
        if access.availability and access.availability.kind != "always":
            path = ("network", "clients" if variant.network.clients else "groups")
            yield path, f"found clients that leave ({printable(name)}: availability); {LOGGED}"
    if variant.network.charge != "encoded":
        yield ("network", "charge"), "found 'values'; a log has the bytes of whole messages"
    logs = {method: study.logs[method] for method in study.methods if method in study.logs}
    if variant.compute:
        yield from _computed(variant, logs)
    if variant.training.target:
        for title, log in titled(logs):
            if not log.scored:
                text = f"the log of {printable(title)} has no scores (split validation)"
                yield ("training", "target"), text


def _trained(variant: Scenario, scenario: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Settings that decide who takes part and what is learned, if they are not those logged."""
    if variant.policy != Synchronous():
        yield ("policy",), f"found {variant.policy.kind}; {LOGGED}, in synchronous rounds"
    if variant.selection != Uniform():
        yield ("selection",), f"found {variant.selection.kind}; {LOGGED}"
    plain = {"seeds": [0], "target": None}
    logged = {key: scenario["training"][key] for key in ("rounds", "cohort")}
    for key, value in Training.model_validate({**logged, "seeds": [0]}):
        if key not in plain and (found := getattr(variant.training, key)) != value:
            shown = short_repr(found) if isinstance(found, int | str) else "another value"
            yield ("training", key), f"found {shown}; {LOGGED}"
    methods = {name: each.model_dump(exclude_unset=True) for name, each in variant.methods.items()}
    for section, written in (
        ("task", variant.task.model_dump(exclude_unset=True)),
        ("methods", methods),
    ):
        if written != scenario[section]:
            yield (section,), f"found another {section.rstrip('s')} than in the log; {LOGGED}"


def _unlogged_seeds(seeds: Sequence[int], logs: Logs) -> str:
    """What is wrong with the seeds: a log alone answers for one; several, for their own. Or ''."""
    logged = next(iter(logs.values()), {})
    if len(logged) < 2:
        text = f"found {len(seeds)} seeds; a log has one training. One seed chooses the links"
        return text if len(seeds) > 1 else ""
    known = ", ".join(map(str, sorted(logged)))
    return "" if set(seeds) <= set(logged) else f"found {list(seeds)}; the logs have seeds {known}"


def _computed(variant: Scenario, logs: Logs) -> Iterator[tuple[KeyPath, str]]:
    """Compute models that need more than the examples of each visit, or visits without them."""
    assert variant.compute is not None
    if variant.compute.speed is not None:
        text = "a log does not have the operations per example; allowed: compute.per_example"
        yield ("compute", "speed"), text
    if variant.compute.max_rank is not None:
        yield ("compute", "max_rank"), f"found a limit of the rank; {LOGGED}"
    for title, log in titled(logs):
        for number, each in enumerate(log.rounds, 1):
            if any(v.examples is None and not v.failed for v in each.visits.values()):
                yield (
                    ("compute",),
                    f"the log of {printable(title)} has visits without examples (the first is in "
                    f"round {number}), which a compute model needs",
                )
                return
