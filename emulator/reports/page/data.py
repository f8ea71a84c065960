"""Data of the page's charts as JSON: names by index, numbers to five digits."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from emulator.reports import timeline
from emulator.reports.figures import SEEN, WIDE
from emulator.reports.plot_style import BOTTLENECKS, COLOURS, PHASES
from emulator.reports.run_report import Study
from emulator.reports.sweep_figure import scale, strength
from emulator.reports.sweep_findings import crossing_text, value_text
from emulator.results import target_sweep
from emulator.results.metadata import Group
from emulator.results.metrics import Curve, Outcome
from emulator.results.participation import GroupShare
from emulator.results.sweep import Sweep, SweepMap, crossings, maps, sweeps, times
from emulator.simulation.records import Emulation
from emulator.simulation.target import Measure

MOST_POINTS = 6_000  # of all curves together: 0.25 MB
FEWEST_POINTS = 20  # of one curve


def room(study: Study) -> int:
    """Return the number of evaluations that each curve keeps."""
    return max(FEWEST_POINTS, MOST_POINTS // max(1, len(study.curves)))


def to_json(study: Study) -> str:
    """Return `study` as JSON that is safe inside a script element: it has no '<'."""
    aims = target_sweep.steps(study.curves.values(), study.target) if study.target else []
    data = {
        "target": study.target.value if study.target else None,
        "curved": study.curved_name,
        "targets": {"values": aims, "own": aims.index(study.target.value) if study.target else 0},
        "methods": study.methods,
        "variants": study.variants,
        "colours": COLOURS,
        "phases": list(PHASES.items()),
        "bottlenecks": list(BOTTLENECKS.items()),
        "groups": _groups(study),
        "metric": study.metric,
        "trades": study.has_tradeoffs,
        "wide": WIDE,
        "seen": SEEN,
        "sweeps": [_sweep(study, sweep) for sweep in sweeps(study.swept, study.variants)],
        "maps": [_map(study, found) for found in maps(study.swept, study.outcomes)],
        "emulations": [_emulation(study, outcome, aims) for outcome in study.outcomes],
        "densities": {
            name: pair for name, pair in study.densities.items() if name in study.methods
        },
        "fleet": {
            variant: [_group(group) for group in groups]
            for variant, groups in study.fleet.items()
            if variant in study.variants
        },
    }
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _emulation(study: Study, outcome: Outcome, aims: Sequence[float]) -> dict[str, Any]:
    key = outcome.emulation
    cost_s = outcome.duration_s if outcome.target is None else outcome.time_to_target_s
    parts_s = (outcome.download_s, outcome.compute_s, outcome.upload_s, outcome.waiting_s)
    kept = study.timelines[key]
    groups = study.groups.get(key, ())
    computed_s = math.fsum(group.compute_s * group.visits for group in groups)
    wasted = outcome.wasted_bytes_down + outcome.wasted_bytes_up
    return {
        "method": study.methods.index(outcome.method),
        "variant": study.variants.index(outcome.variant),
        "seed": outcome.seed,
        "draw": outcome.network_seed,
        "time_s": cost_s,
        "accuracy": None if outcome.final_accuracy is None else _number(outcome.final_accuracy),
        "parts_s": parts_s,
        "bytes": [outcome.bytes_down + outcome.bytes_up - wasted, wasted],
        "compute_s": _numbers(
            [max(0.0, computed_s - outcome.wasted_compute_s), outcome.wasted_compute_s]
        ),
        "causes": _causes(study, key),
        "unheard": _unheard(study, groups),
        "served": [outcome.heard_accuracy, outcome.unheard_accuracy],
        "costs": _costs(study, study.curves[key], aims),
        "curve": _curve(study.curves[key], study.curved, room(study)),
        "rounds": [_round(line) for line in kept.rounds],
        "of_rounds": kept.of_rounds,
    }


def _sweep(study: Study, sweep: Sweep) -> dict[str, Any]:
    """Return the values of a sweep with the indices of its variants, and where the lead passes."""
    shown = scale(sweep.path, sweep.unit, sweep.values)
    marks = [
        [_number(each.at / shown.by), crossing_text(each, sweep.unit)]
        for each in crossings(sweep, times(study.outcomes))
        if each.at is not None
    ]
    return {
        "rest": sweep.rest,
        "title": shown.title,
        "log": shown.log,
        "values": _numbers(value / shown.by for value in sweep.values),
        "variants": [study.variants.index(variant) for variant in sweep.variants],
        "marks": marks,
    }


def _map(study: Study, found: SweepMap) -> dict[str, Any]:
    """Return the cells of a map: column, row, variant, first method (-1: none), lead, shade, wins.

    The last entry of a cell is the number of its runs.
    """
    cells = [
        (
            found.columns.index(cell.x),
            found.rows.index(cell.y),
            study.variants.index(cell.variant),
            study.methods.index(cell.method) if cell.method is not None else -1,
            None if cell.lead is None else _number(cell.lead),
            _number(strength(cell)),
            cell.wins,
            cell.runs,
        )
        for cell in found.cells
    ]
    sides = ((found.x, found.columns), (found.y, found.rows))
    titles = [setting.path for setting, _ in sides]
    ticks = [[value_text(value, setting.unit) for value in values] for setting, values in sides]
    return {"rest": found.rest, "titles": titles, "ticks": ticks, "cells": cells}


def _groups(study: Study) -> list[str]:
    """Return the names of all groups of clients, in the scenario's order."""
    seen = {group.group for found in study.groups.values() for group in found}
    named = [group.name for found in study.fleet.values() for group in found if group.name in seen]
    return list(dict.fromkeys([*named, *sorted(seen)]))


def _causes(study: Study, key: Emulation) -> list[tuple[int, int, float]]:
    """Return the rounds' seconds by the straggler's group (-1: none) and bottleneck."""
    groups, names = _groups(study), list(BOTTLENECKS)
    seconds: defaultdict[tuple[int, int], float] = defaultdict(float)
    for cause in study.bottlenecks.get(key, ()):
        group = groups.index(cause.group) if cause.straggler >= 0 else -1
        seconds[group, names.index(cause.bottleneck)] += cause.duration_s
    return [(*pair, _number(spent_s)) for pair, spent_s in seconds.items()]


def _unheard(study: Study, groups: Sequence[GroupShare]) -> list[tuple[int, float, float]] | None:
    """Return each group's excluded examples, as shares of all examples and of its own.

    Without examples per client, shares are of clients. None if the ledger has no groups.
    """
    if not groups:
        return None
    names = _groups(study)
    whole = sum(group.examples or 0 for group in groups)
    if whole and all(group.examples is not None for group in groups):
        shares = [((g.examples or 0) / whole, g.unheard_examples or 0.0) for g in groups]
    else:
        clients = sum(group.clients for group in groups)
        shares = [(g.clients / clients, g.unheard_clients or 0.0) for g in groups]
    return [
        (names.index(g.group), _number(size * excluded), _number(excluded))
        for g, (size, excluded) in zip(groups, shares, strict=True)
    ]


def _costs(study: Study, curve: Curve, aims: Sequence[float]) -> dict[str, Any]:
    """Return [seconds, rounds, bytes down, bytes up] to targets; `at` says which, -1: never."""
    goals = target_sweep.at(study.target, aims) if study.target else []
    hits = target_sweep.hits(curve, goals)
    known = sorted({hit for hit in hits if hit is not None})
    costs = [
        (curve.time_s[k], curve.round[k], curve.bytes_down[k], curve.bytes_up[k]) for k in known
    ]
    return {"at": [-1 if hit is None else known.index(hit) for hit in hits], "of": costs}


def _curve(curve: Curve, shown: Measure, most: int) -> dict[str, list[float]]:
    """Return at most `most` evaluations at even steps, with the first and the last."""
    costs = {"round": curve.round, "time_s": curve.time_s}
    costs |= {"bytes_down": curve.bytes_down, "bytes_up": curve.bytes_up}
    columns = costs | {"score": curve.of(shown)}
    points = timeline.spaced(list(zip(*columns.values(), strict=True)), most)
    kept = list(zip(*points, strict=True)) or [()] * len(columns)  # () without scores
    return {name: _numbers(column) for name, column in zip(columns, kept, strict=True)}


def _round(line: timeline.RoundLine) -> dict[str, Any]:
    """Return a round in seconds since its start; a phase is [index, from, to]."""
    return {
        "round": line.round,
        "start_s": _number(line.start_s),
        "length_s": _number(line.finish_s - line.start_s),
        "clients": [
            [
                client,
                [[timeline.PHASES.index(p[0]), *_numbers(p[1:], line.start_s)] for p in phases],
            ]
            for client, phases in line.clients.items()
        ],
        "of_clients": line.of_clients,
    }


def _group(group: Group) -> dict[str, Any]:
    rates = {"down_Bps": _numbers(group.down_Bps), "up_Bps": _numbers(group.up_Bps)}
    return {"name": group.name, "clients": group.clients, **rates}


def _numbers(values: Iterable[float], since: float = 0) -> list[float]:
    return [_number(value - since) for value in values]


def _number(value: float) -> float:
    short = value if isinstance(value, int) else float(f"{value:.5g}")
    return int(short) if short == int(short) else short
