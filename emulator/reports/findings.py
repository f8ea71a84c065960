"""Sentences on what the seeds of a run show. All verdicts are those of `flasc-emu compare`."""

import math
from collections.abc import Iterable, Sequence

from emulator.common.units import format_duration
from emulator.reports.run_report import Study
from emulator.results.comparison import Contrast, contrasts
from emulator.results.metrics import Outcome
from emulator.results.statistics import LEVEL
from emulator.simulation.target import FALLING

ONE_SEED = "One seed: differences may be due to chance."
FALL = 0.05  # of the accuracy; evaluations of 800 examples differ by 0.02 by chance
ERROR = f"{100 * (1 - LEVEL):.2g} %"  # probability of any false 'faster' or 'slower' in a table


def seeds_text(counts: Iterable[int]) -> str:
    """Return 'one seed', '3 seeds', or '1 to 3 seeds' if counts differ."""
    known = sorted(set(counts)) or [0]
    if known == [1]:
        return "one seed"
    return " to ".join(map(str, dict.fromkeys((known[0], known[-1])))) + " seeds"


def over_seeds(name: str, counts: Iterable[int]) -> str:
    """Return 'one seed', or `name` with the number of seeds: 'median of 3 seeds'."""
    seeds = seeds_text(counts)
    return seeds if seeds == "one seed" else f"{name} of {seeds}"


def statistic(study: Study, name: str) -> str:
    """Return `over_seeds` of all methods and variants."""
    return over_seeds(name, (len(study.of(o.method, o.variant)) for o in study.outcomes))


def _several_methods(study: Study) -> bool:
    return len({o.method for o in study.outcomes}) > 1


def _contrasts(study: Study, *, by_method: bool) -> tuple[Contrast, ...]:
    """Return the contrasts with the first method, or else with the first variant."""
    if not study.outcomes:
        return ()
    by_key: dict[tuple[str, str], dict[int, Outcome]] = {}
    for each in study.outcomes:
        by_key.setdefault((each.method, each.variant), {})[each.seed] = each
    baseline = study.outcomes[0].method if by_method else study.variants[0]
    return contrasts(by_key, baseline, of_methods=by_method)


def shown(study: Study) -> str:
    """Return which differences are shown; empty if nothing is compared.

    Methods are compared with the first one. So are variants if they learn differently, or if there
    is one method.
    """
    several = _several_methods(study)
    modes = [True] * several + [False] * (study.has_tradeoffs or not several)
    return " ".join(dict.fromkeys(filter(None, (_shown(study, by_method=m) for m in modes))))


def _shown(study: Study, *, by_method: bool) -> str:
    found = _contrasts(study, by_method=by_method)
    tested = [each for each in found if each.tests]
    untested = sum(each.verdict == "one seed" for each in found)
    if not tested:
        return ONE_SEED if untested else ""
    parts = [
        f"{subject} is {verdict}" + f" ({', '.join(places)})" * bool(places)
        for (subject, verdict), places in _verdicts(study, tested, by_method=by_method).items()
    ]
    left = sum(each.verdict == "not shown" for each in tested)
    seeds, count = seeds_text(each.seeds for each in tested), len(tested)
    at = f"at {ERROR}" + f" for all {count} together" * (count > 1)
    text = f"Compared with {tested[0].baseline} by time, over {seeds}: "
    if parts:
        text += f"{'; '.join(parts)}, {at}." + f" {_others(left)} not shown." * bool(left)
    else:
        text += f"no difference is shown {at}."
    return text + f" {untested} more have one seed." * bool(untested)


def _verdicts(
    study: Study, tested: Iterable[Contrast], *, by_method: bool
) -> dict[tuple[str, str], list[str]]:
    """Return where each method is faster or slower; or each variant, if these are compared."""
    several = len(study.variants if by_method else study.methods) > 1
    found: dict[tuple[str, str], list[str]] = {}
    for each in tested:
        if each.verdict != "not shown":
            names = (each.method, each.variant) if by_method else (each.variant, each.method)
            found.setdefault((names[0], each.verdict), []).extend(names[1:] * several)
    return found


def fallen(study: Study) -> str:
    """Return which methods ended far below their best accuracy; empty if none did.

    What a metric that is to fall lost is told as a share of its best value.
    """
    rises = study.metric_measure == FALLING
    unit = "%" if rises else "points"
    lost: dict[str, list[float]] = {}
    for each in study.outcomes:
        if each.accuracy_lost is not None:
            best = (each.best_accuracy or 1.0) if rises else 1.0
            lost.setdefault(each.method, []).append(each.accuracy_lost / best)
    parts = [
        f"{method} by {100 * max(falls):.0f} {unit}" + _with_share(falls)
        for method, falls in lost.items()
        if max(falls) > FALL
    ]
    if not parts:
        return ""
    return (
        f"Ended {'above' if rises else 'below'} their best {study.metric}, as means of three "
        f"evaluations: {', '.join(parts)}. Their learning rates may be too high for so many rounds."
    )


def _with_share(falls: Sequence[float]) -> str:
    """Return in how many simulations of a method the accuracy fell, if not in all."""
    count = sum(fall > FALL for fall in falls)
    return "" if count == len(falls) else f" at most ({count} of {len(falls)} simulations)"


def _others(count: int) -> str:
    return "The other difference is" if count == 1 else f"The other {count} differences are"


def headline(study: Study) -> str:
    """Return a sentence on the lowest time under the last variant, and on one difference.

    The difference is to the first method, or to the next lowest time if the first method has the
    lowest. If variants learn differently, the lowest time is of all variants. If it is not of the
    first variant, the difference is to the same method under the first variant.
    """
    all_variants, last = study.has_tradeoffs, study.variants[-1] if study.variants else ""
    by_method = _several_methods(study) and not all_variants
    everything = _contrasts(study, by_method=by_method)
    found = sorted((c for c in everything if all_variants or c.variant == last), key=_median)
    if not found:
        return f"Under {last}, no simulation has finished."
    if not by_method and _several_methods(study) and found[0].verdict == "baseline":
        by_method, first = True, found[0].variant
        methods = _contrasts(study, by_method=True)
        found = sorted((each for each in methods if each.variant == first), key=_median)
    best, *others = found
    place = "" if all_variants else f"Under {last}, "
    if best.time_s.median is None:
        return _sentence(f"{place}{_unreached(found, study.goal)}")
    name = f"{best.method} under {best.variant}" if all_variants else best.method
    takes = f"{format_duration(best.time_s.median)} ({_reached(best)})"
    if not others:
        return f"{place}{name} takes {takes} to {study.goal}."
    median = "median " if best.seeds > 1 else ""
    text = f"{place}{name} has the lowest {median}time to {study.goal}: {takes}"
    other = _opponent(best, others, by_method=by_method)
    if other is None:
        return f"{text}."
    tested = other if best.verdict == "baseline" else best
    whose = other.method if by_method else f"under {other.variant} it"
    difference = _difference(tested, by_method=by_method)
    return f"{text}; {whose} {_takes(other, _reached(best))}. {difference}"


def _median(contrast: Contrast) -> float:
    return math.inf if contrast.time_s.median is None else contrast.time_s.median


def _opponent(best: Contrast, others: Sequence[Contrast], *, by_method: bool) -> Contrast | None:
    """Return the contrast that the headline names beside the best one; `others` are in order."""
    if best.verdict == "baseline":
        return others[0]
    whose = (best.baseline, best.variant) if by_method else (best.method, best.baseline)
    return next((each for each in others if (each.method, each.variant) == whose), None)


def _reached(contrast: Contrast) -> str:
    """Return how many seeds reached the target: '3 seeds', '2 of 3 seeds'."""
    if contrast.reached == contrast.seeds:
        return seeds_text([contrast.seeds])
    return f"{contrast.reached or 'none'} of {contrast.seeds} seeds"


def _takes(contrast: Contrast, known: str) -> str:
    """Return the time in words; the seeds that reached the target unless they are `known`."""
    seeds = _reached(contrast)
    if contrast.time_s.median is None:
        return f"reaches it with {seeds}" if contrast.seeds > 1 else "does not reach it"
    return f"takes {format_duration(contrast.time_s.median)}" + f" ({seeds})" * (seeds != known)


def _unreached(found: Sequence[Contrast], goal: str) -> str:
    """Return the sentence for medians that are all 'never'."""
    seeds = seeds_text(each.seeds for each in found)
    some = [f"{each.method} with {_reached(each)}" for each in found if each.reached]
    if some:
        return f"no method reaches {goal} with most of its seeds: {', '.join(some)}"
    return f"no method reaches {goal} ({seeds})"


def _difference(tested: Contrast, *, by_method: bool) -> str:
    """Return what the seeds show of one contrast, with its ratio only if it is shown."""
    if tested.verdict == "one seed":
        return "The difference may be due to chance."
    if tested.verdict not in ("faster", "slower"):
        return "The seeds do not show a difference between the two."
    pair = [tested.method, tested.baseline]
    if not by_method:
        pair = [f"{tested.method} under {v}" for v in (tested.variant, tested.baseline)]
    ratios = [tested.speedup, tested.speedup_low, tested.speedup_high]
    if tested.verdict == "slower":
        pair.reverse()
        ratios = [each and 1 / each for each in (ratios[0], ratios[2], ratios[1])]
    text = "The seeds show that {} is faster than {}".format(*pair)
    if None in ratios:
        return f"{text}."
    ratio, low, high = (f"{each:.1f}" for each in ratios)
    band = f"{100 * tested.level:g} % band of this ratio alone: {low} to {high}"
    return f"{text}: {ratio} times as fast ({band})."


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
