"""What a report shows of a study beside its results: densities of methods, rates of clients.

Found once, when a run begins, because a law may read a file that a ledger's reader lacks.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version

import numpy as np

from emulator.common.distributions import Floats
from emulator.results.privacy import Account, accountant
from emulator.runner.events import TrainingResult
from emulator.scenario import document
from emulator.scenario.document import printable
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import Study
from emulator.simulation.clients import fleet

POINTS = 51  # of a distribution: every second percentile, or every client where there are fewer


@dataclass(frozen=True, slots=True)
class Group:
    """One group of clients. Rates in bytes/s as the client sees them: quantiles at even steps
    from the smallest to the largest, or one where all are alike."""

    name: str
    clients: int
    down_Bps: list[float]
    up_Bps: list[float]


def densities(study: Study) -> dict[str, tuple[float, float]]:
    """{method: (down, up)}, the shares of entries sent, of methods that differ by these alone.

    Dense LoRA is (1, 1). A method with a rank of its own sends shares of something else.
    """
    methods = {name: study.scenario.methods[name] for name in study.methods}
    found = {name: method.densities for name, method in methods.items() if method.rank is None}
    return {name: pair for name, pair in found.items() if pair}


def fleets(study: Study) -> dict[str, list[dict[str, object]]]:
    """{variant: its groups as in `Group`}, as the first seed draws them."""
    return {label: [asdict(group) for group in _groups(s)] for label, s in study.variants.items()}


def _groups(scenario: Scenario) -> list[Group]:
    clients = fleet.draw_fleet(
        scenario.network, scenario.compute, scenario.task.clients, scenario.training.seeds[0]
    )
    members = [clients.group == number for number in range(len(clients.groups))]
    return [
        Group(name, int(of.sum()), _quantiles(clients.down_Bps[of]), _quantiles(clients.up_Bps[of]))
        for name, of in zip(clients.groups, members, strict=True)
        if of.any()
    ]


def _quantiles(values: Floats) -> list[float]:
    if values.min() == values.max():
        return [float(values[0])]
    steps = np.linspace(0, 1, min(len(values), POINTS))
    return [float(f"{value:.5g}") for value in np.quantile(values, steps)]


def privacy_account(scenario: Scenario) -> Account | None:
    """The account of a scenario; None where it promises no privacy."""
    if (dp := scenario.training.dp) is None:
        return None
    clients, cohort = scenario.task.clients, scenario.training.cohort
    return Account(dp.noise, dp.delta, dp.sampling, clients, cohort)


def require_accountant(scenarios: Iterable[Scenario]) -> None:
    """Raises SupportError where a scenario's privacy could not be accounted for."""
    if any(map(privacy_account, scenarios)):
        accountant()


def describe(study: Study) -> dict[str, str]:
    """What a ledger says of the study behind its rows."""
    training = study.scenario.training
    examples = training.evaluation.examples
    meta = {
        "name": study.scenario.name,
        "split": f"validation, first {examples} examples" if examples else "validation",
        "metric": " or ".join(dict.fromkeys(v.task.metric for v in study.variants.values())),
        "methods": json.dumps(study.methods),
        "variants": json.dumps(list(study.variants)),
        "seeds": json.dumps(training.seeds),
        "densities": json.dumps(densities(study)),
        "fleet": json.dumps(fleets(study)),
        "scenario": document.dump(study.document.data),
    }
    if training.target:
        meta["target"] = repr(training.target.accuracy)
    if remark := round_trips(study):
        meta["remark"] = remark
    accounts = {label: privacy_account(variant) for label, variant in study.variants.items()}
    if private := {label: asdict(account) for label, account in accounts.items() if account}:
        meta["privacy"] = json.dumps(private)
    return meta


def provenance(done: dict[int, TrainingResult]) -> str:
    """Where the results come from; trainings made on different things are all named."""
    made_on: dict[str, set[str]] = {"flasc-emu": {version("flasc-emu")}}
    for result in done.values():
        for name, value in result.provenance.items():
            made_on.setdefault(name, set()).add(value)
    return json.dumps({name: ", ".join(sorted(values)) for name, values in made_on.items()})


def round_trips(study: Study) -> str:
    """Whose RTT is 0 because nobody gave one, in a sentence; '' where everybody's is given."""
    silent = {label: _silent(variant) for label, variant in study.variants.items()}
    groups = dict.fromkeys(name for names in silent.values() for name in names)
    if not groups:
        return ""
    whose = f" for {', '.join(map(printable, groups))}" if study.scenario.network.groups else ""
    found, whole = sum(map(bool, silent.values())), len(silent)
    where = "" if found == whole else f" in {found} of {whole} variants"
    return f"RTT 0 ms (not given){whose}{where}: handshakes and slow start take no time"


def _silent(scenario: Scenario) -> list[str]:
    """The groups of clients without a word on their RTT; a preset has one."""
    accesses = scenario.network.accesses.items()
    return [name for name, access in accesses if "rtt" not in access.model_fields_set]
