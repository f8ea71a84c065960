"""Fills the metadata of a run from its study: densities, client rates, privacy, warnings.

This happens when a run starts, because a distribution may read a file that is missing later.
"""

import json
from importlib.metadata import version

import numpy as np

from emulator.common.distributions import Floats
from emulator.results.metadata import Group, RunMetadata, Setting
from emulator.results.privacy import Account
from emulator.results.summary_file import Summariser
from emulator.runner import trace_remarks
from emulator.runner.events import TrainingResult
from emulator.runner.message_logs import log_remarks
from emulator.scenario import document
from emulator.scenario.document import MANY, printable
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import Study
from emulator.simulation.clients.fleet import Fleet, draw_fleet
from emulator.simulation.target import ACCURACY, FALLING, FIRST

POINTS = 51  # quantiles of a distribution (every 2 %), or one per client if there are fewer


def densities(study: Study) -> dict[str, tuple[float, float]]:
    """Return {method: (down, up)}, shares of entries sent; (1, 1) is dense LoRA.

    Methods with their own rank are left out, because they send shares of another vector, and those
    whose densities differ between variants.
    """
    found = {}
    for name in study.methods:
        methods = [each.methods[name] for each in study.variants.values()]
        pairs = {method.densities if method.rank is None else None for method in methods}
        if len(pairs) == 1 and (pair := pairs.pop()):
            found[name] = pair
    return found


def settings(study: Study) -> dict[str, tuple[Setting, ...]] | None:
    """Return the numbers that sweeps set in each variant; None without sweeps."""
    found = {
        variant: tuple(
            Setting(each.path, each.quantity.value, each.quantity.unit, each.label)
            for each in values
        )
        for variant, values in study.swept.items()
    }
    return found or None


def fleets(study: Study) -> dict[str, tuple[Group, ...]]:
    """Return the groups of clients of each variant, with the fleet of the first seed.

    None of a study with many variants, whose report has no chart of their links.
    """
    if len(study.variants) > MANY:
        return {}
    return {label: tuple(_groups(variant)) for label, variant in study.variants.items()}


def first_fleet(scenario: Scenario) -> Fleet:
    """Return the clients of a scenario, drawn with its first seed."""
    seed, rank_seed = scenario.fleet_seed, scenario.training.seeds[0]
    clients = scenario.task.clients
    return draw_fleet(scenario.network, scenario.compute, clients, seed, rank_seed=rank_seed)


def _groups(scenario: Scenario) -> list[Group]:
    clients = first_fleet(scenario)
    members = [clients.group == number for number in range(len(clients.groups))]
    return [
        Group(name, int(of.sum()), _quantiles(clients.down_Bps[of]), _quantiles(clients.up_Bps[of]))
        for name, of in zip(clients.groups, members, strict=True)
        if of.any()
    ]


def _quantiles(values: Floats) -> tuple[float, ...]:
    if values.min() == values.max():
        return (float(values[0]),)
    steps = np.linspace(0, 1, min(len(values), POINTS))
    return tuple(float(f"{value:.5g}") for value in np.quantile(values, steps))


def privacy_account(scenario: Scenario) -> Account | None:
    """Return the account of a scenario; None without differential privacy."""
    if (dp := scenario.training.dp) is None:
        return None
    clients, cohort = scenario.task.clients, scenario.training.cohort
    return Account(dp.noise, dp.delta, dp.sampling, clients, cohort)


def describe(study: Study) -> RunMetadata:
    """Return what a ledger says of `study`, without the provenance."""
    training = study.scenario.training
    goal = training.goal
    examples = training.evaluation.examples
    accounts = {label: privacy_account(variant) for label, variant in study.variants.items()}
    return RunMetadata(
        name=study.scenario.name,
        split=f"validation, first {examples} examples" if examples else "validation",
        metric=" or ".join(dict.fromkeys(v.task.metric for v in study.variants.values())),
        direction="lower" if study.scenario.metric_measure == FALLING else None,
        methods=study.methods,
        variants=list(study.variants),
        seeds=training.seeds,
        network_seeds=study.scenario.network_seeds,
        densities=densities(study),
        fleet=fleets(study),
        scenario=document.dump(study.document.data),
        swept=settings(study),
        target=goal.value if goal else None,
        target_rule=goal.rule if goal and goal.rule != FIRST else None,
        target_measure=goal.measure if goal and goal.measure != ACCURACY else None,
        remark=". ".join(remarks(study)) or None,
        privacy={label: each for label, each in accounts.items() if each} or None,
    )


def summariser(study: Study) -> Summariser:
    """Return what turns the rows of a simulation of `study` into a summary."""
    accounts = {label: privacy_account(variant) for label, variant in study.variants.items()}
    return Summariser(
        study.scenario.training.goal,
        study.scenario.metric_measure,
        {label: each for label, each in accounts.items() if each},
    )


def provenance(done: dict[int, TrainingResult]) -> str:
    """Return the versions, devices and data of all trainings, as JSON."""
    made_on: dict[str, set[str]] = {"flasc-emu": {version("flasc-emu")}}
    for result in done.values():
        for name, value in result.provenance.items():
            made_on.setdefault(name, set()).add(value)
    return json.dumps({name: ", ".join(sorted(values)) for name, values in made_on.items()})


def remarks(study: Study) -> list[str]:
    """Return warnings that are known before anything is simulated."""
    logged = log_remarks(study.logs, timed=study.scenario.compute is None)
    return [*filter(None, [round_trips(study)]), *trace_remarks.facts(study), *logged]


def round_trips(study: Study) -> str:
    """Return a warning about RTTs that are 0 because they were not set; '' without any."""
    unset = [_without_rtt(variant) for variant in study.variants.values()]
    groups = dict.fromkeys(name for names in unset for name in names)
    if not groups:
        return ""
    whose = f" for {', '.join(map(printable, groups))}" if study.scenario.network.groups else ""
    found, whole = sum(map(bool, unset)), len(unset)
    where = "" if found == whole else f" in {found} of {whole} variants"
    return f"RTT 0 ms (not given){whose}{where}: handshakes and slow start take no time"


def _without_rtt(scenario: Scenario) -> list[str]:
    """Return the groups of clients that set no RTT; a preset sets one."""
    accesses = scenario.network.accesses.items()
    return [name for name, access in accesses if "rtt" not in access.model_fields_set]
