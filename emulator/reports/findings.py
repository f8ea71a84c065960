"""Sentences on what the seeds of a run show. All verdicts are those of `flasc-emu compare`."""

import math
import statistics
from collections.abc import Iterable, Sequence

from emulator.common.units import format_duration, format_score
from emulator.reports.run_report import Study
from emulator.results.comparison import Contrast, contrasts
from emulator.results.metrics import Outcome
from emulator.results.resolution import Run
from emulator.results.statistics import LEVEL
from emulator.simulation.target import FALLING

MOST_TOLD = 12  # contrasts in a sentence
ONE_SEED = "One seed: differences may be due to chance."
FALL = 0.05  # of the accuracy; evaluations of 800 examples differ by 0.02 by chance
ERROR = f"{100 * (1 - LEVEL):.2g} %"  # probability of any false 'faster' or 'slower' in a table


def seeds_text(counts: Iterable[int]) -> str:
    """Return 'one seed', '3 seeds', or '1 to 3 seeds' if counts differ."""
    known = sorted(set(counts)) or [0]
    if known == [1]:
        return "one seed"
    return " to ".join(map(str, dict.fromkeys((known[0], known[-1])))) + " seeds"


def runs_text(seeds: Iterable[int], draws: Iterable[int]) -> str:
    """Return `seeds_text`, and the number of draws of the fleet: 'one seed, 100 draws of ...'.

    `draws` are 0 if the seeds draw the fleet.
    """
    text, known = seeds_text(seeds), sorted(set(draws))
    if not any(known):
        return text
    counts = " to ".join(map(str, dict.fromkeys((known[0], known[-1]))))
    return f"{text}, {counts} draw{'s' * (known != [1])} of the fleet"


def over_runs(name: str, seeds: Iterable[int], draws: Iterable[int]) -> str:
    """Return 'one seed', or `name` with the number of seeds and draws: 'median of 3 seeds'."""
    text = runs_text(seeds, draws)
    return text if text == "one seed" else f"{name} of {text}"


def statistic(study: Study, name: str) -> str:
    """Return `over_runs` of all methods and variants."""
    return over_runs(name, *_counts(study, study.outcomes))


def over_variant(study: Study, name: str, variant: str) -> str:
    """Return `over_runs` of all methods under one variant."""
    return over_runs(name, *_counts(study, (o for o in study.outcomes if o.variant == variant)))


def _counts(study: Study, outcomes: Iterable[Outcome]) -> tuple[list[int], list[int]]:
    """Return the numbers of seeds and of draws of each method under each variant."""
    places = dict.fromkeys((o.method, o.variant) for o in outcomes)
    runs = [study.of(*place) for place in places]
    seeds = [len({o.seed for o in each}) for each in runs]
    return seeds, [len({o.network_seed for o in each} - {None}) for each in runs]


def _several_methods(study: Study) -> bool:
    return len({o.method for o in study.outcomes}) > 1


def _contrasts(study: Study, *, by_method: bool) -> tuple[Contrast, ...]:
    """Return the contrasts with the first method, or else with the first variant."""
    if not study.outcomes:
        return ()
    baseline = study.outcomes[0].method if by_method else study.variants[0]
    return compared(study, baseline, by_method=by_method)


def compared(study: Study, baseline: str, *, by_method: bool) -> tuple[Contrast, ...]:
    """Return the contrasts with `baseline`, a method or else a variant, as `compare` has them."""
    by_key: dict[tuple[str, str], dict[Run, Outcome]] = {}
    for each in study.outcomes:
        run = Run(each.seed, each.network_seed)
        by_key.setdefault((each.method, each.variant), {})[run] = each
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
        return _one_seed(study, found, by_method=by_method) if untested else ""
    parts = [
        f"{subject} is {verdict}" + f" ({', '.join(places)})" * bool(places)
        for (subject, verdict), places in _verdicts(study, tested, by_method=by_method).items()
    ]
    left = sum(each.verdict == "not shown" for each in tested)
    seeds, count = seeds_text(each.seeds for each in tested), len(tested)
    at = f"at {ERROR}" + f" for all {count} together" * (count > 1)
    over = _mean_draws(tested) + seeds
    text = f"Compared with {tested[0].baseline} by time, over {over}: "
    if parts:
        text += f"{'; '.join(parts)}, {at}." + f" {_others(left)} not shown." * bool(left)
    else:
        text += f"no difference is shown {at}."
    return text + f" {untested} more have one seed." * bool(untested)


def _mean_draws(found: Sequence[Contrast]) -> str:
    """Return that the draws of a seed are one run in a test; '' without draws."""
    draws = max(each.draws for each in found)
    return f"means of {draws} draws of the fleet with each of " if draws > 1 else ""


def _one_seed(study: Study, found: Sequence[Contrast], *, by_method: bool) -> str:
    """Return what one seed shows: nothing about other trainings, much about other fleets."""
    drawn = [each for each in found if each.draws > 1 and each.shared]
    if not drawn:
        return ONE_SEED
    several = len(study.variants if by_method else study.methods) > 1
    told = []
    for each in drawn[:MOST_TOLD]:
        name, place = (each.method, each.variant) if by_method else (each.variant, each.method)
        told.append(f"{name} {each.wins} of {each.shared}" + f" ({place})" * several)
    left = len(drawn) - len(told)
    more = f" (and {left} more: see flasc-emu compare)" if left else ""
    return (
        f"Faster than {drawn[0].baseline}, in so many draws of the fleet: {', '.join(told)}{more}. "
        "These are draws for one training: another training may differ."
    )


def wins_text(contrast: Contrast) -> str:
    """Return '97 of 100 draws of the fleet'; with several seeds '290 of 300 pairs of ...'."""
    whole = "draws of the fleet"
    if contrast.shared_seeds > 1:
        whole = f"pairs of {contrast.shared_seeds} seeds and {contrast.draws} draws of the fleet"
    return f"{contrast.wins} of {contrast.shared} {whole}"


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


def on_test_split(study: Study) -> str:
    """Return the scores on test when the target was reached; empty if none was tested then."""
    scores: dict[str, list[float]] = {}
    for each in study.outcomes:
        if each.test_accuracy_at_target is not None:
            scores.setdefault(each.method, []).append(each.test_accuracy_at_target)
    if not scores:
        return ""
    medians = [
        f"{format_score(statistics.median(found))} ({name})" for name, found in scores.items()
    ]
    several = ", medians" if max(map(len, scores.values())) > 1 else ""
    return (
        f"On the test split, {study.metric} when the target was reached{several}: "
        f"{', '.join(medians)}."
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
    median = "median " if best.simulations > 1 else ""
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
    """Return how many seeds (with draws: simulations) reached it: '3 seeds', '2 of 3 seeds'."""
    if contrast.reached == contrast.simulations:
        return runs_text([contrast.seeds], [contrast.draws])
    what = "simulations" if contrast.draws else "seeds"
    return f"{contrast.reached or 'none'} of {contrast.simulations} {what}"


def _takes(contrast: Contrast, known: str) -> str:
    """Return the time in words; the seeds that reached the target unless they are `known`."""
    seeds = _reached(contrast)
    if contrast.time_s.median is None:
        return f"reaches it with {seeds}" if contrast.simulations > 1 else "does not reach it"
    return f"takes {format_duration(contrast.time_s.median)}" + f" ({seeds})" * (seeds != known)


def _unreached(found: Sequence[Contrast], goal: str) -> str:
    """Return the sentence for medians that are all 'never'."""
    seeds = runs_text((each.seeds for each in found), (each.draws for each in found))
    some = [f"{each.method} with {_reached(each)}" for each in found if each.reached]
    if some:
        most = "in most of its simulations" if found[0].draws else "with most of its seeds"
        return f"no method reaches {goal} {most}: {', '.join(some)}"
    return f"no method reaches {goal} ({seeds})"


def _difference(tested: Contrast, *, by_method: bool) -> str:
    """Return what the seeds show of one contrast, with its ratio only if it is shown."""
    if tested.verdict == "one seed" and tested.draws > 1 and tested.shared:
        text = f"{tested.method} is faster than {tested.baseline}"
        if not by_method:
            text = f"{tested.method} is faster under {tested.variant} than {tested.baseline}"
        return f"{text} in {wins_text(tested)}; another training may differ."
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
