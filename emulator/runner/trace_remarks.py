"""Remarks about traces: gaps and other facts of a file, and an end long before the simulations'."""

from collections.abc import Iterator, Mapping

from emulator.common.text import printable
from emulator.common.units import format_duration
from emulator.network.capacity.trace import Trace
from emulator.scenario.study import Study
from emulator.simulation.clients.link_profiles import traces
from emulator.simulation.clients.speed_tests import SpeedTests

LONG = 2.0  # lengths of a trace: a simulation that lasts longer is told


def facts(study: Study) -> list[str]:
    """Remarks about the traces and tables of all variants: gaps, and what is left out."""
    found: dict[str, None] = {}
    for variant in study.variants.values():
        tables = [access.table for access in variant.network.accesses.values()]
        files: list[Trace | SpeedTests] = [*traces(variant.network), *filter(None, tables)]
        for each in files:
            found |= dict.fromkeys(each.remarks)
    return list(found)


def ends(study: Study, seconds: Mapping[str, float], what: str) -> list[str]:
    """Remarks about traces that are much shorter than the simulations.

    `seconds` has the simulated time of each variant; `what` introduces the longest in a sentence.
    """
    longest: dict[str, tuple[float, Trace]] = {}
    for label, variant in study.variants.items():
        for trace in traces(variant.network):
            before_s, _ = longest.get(trace.file, (0.0, trace))
            longest[trace.file] = max(before_s, seconds.get(label, 0.0)), trace
    return list(_ends(longest, what))


def _ends(longest: Mapping[str, tuple[float, Trace]], what: str) -> Iterator[str]:
    for file, (lasted_s, trace) in longest.items():
        if lasted_s > LONG * trace.length_s:
            then = "it repeats" if trace.loop else "its last rates hold from there on"
            yield (
                f"{printable(file)}: the trace is {format_duration(trace.length_s)} long, and "
                f"{what} {format_duration(lasted_s)}: {then}"
            )
