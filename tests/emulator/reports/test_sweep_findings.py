"""Sentences on sweeps: the leaders, the seeds that they are of, and what `compare` calls shown."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from emulator.reports.findings import compared
from emulator.reports.run_report import Study
from emulator.reports.sweep_findings import edges, sentences, value_text
from emulator.results.metadata import Setting

FLAT: list[list[float | None]] = [[10.0, 10.1, 10.2]] * 4
FALLING: list[list[float | None]] = [
    [40.0, 40.2, 40.1], [20.0, 20.1, 20.2], [5.0, 5.1, 5.05], [2.5, 2.6, 2.55]
]  # fmt: skip


def test_the_leaders_and_the_verdicts_of_compare(sweep_of: Callable[..., Study]) -> None:
    study = sweep_of({"flat": FLAT, "falling": FALLING})
    first, second = sentences(study)
    assert first == (
        "Lowest time to accuracy 0.50, median of 3 seeds: flat with network.clients.up below "
        "about 2.8 Mbps, falling above."
    )
    assert second == (
        "Over 3 seeds, compared with falling, flat is faster at 1 Mbps, 2 Mbps and slower at "
        "4 Mbps, 8 Mbps (5 % for all 4 tests together)."
    )
    verdicts = [c.verdict for c in compared(study, "falling", by_method=True) if c.method == "flat"]
    assert verdicts == ["faster", "faster", "slower", "slower"]


def test_seeds_that_disagree_show_nothing(sweep_of: Callable[..., Study]) -> None:
    apart = [[40.0, 9.0, 11.0], [30.0, 8.0, 11.0], [2.0, 30.0, 9.0], [2.0, 30.0, 9.0]]
    *_, last = sentences(sweep_of({"flat": FLAT, "apart": apart}))
    assert last.startswith("Over 3 seeds, no difference between flat and apart is shown (5 %")


def test_one_seed_shows_nothing(sweep_of: Callable[..., Study]) -> None:
    ones: dict[str, Any] = {"flat": [[10.0]] * 4, "falling": [[40.0], [20.0], [5.0], [2.5]]}
    first, second = sentences(sweep_of(ones))
    assert "one seed: flat with network.clients.up below about 2.8 Mbps" in first
    assert second == "One seed: differences may be due to chance."


def test_one_leader_everywhere_and_no_leader_at_one_end(sweep_of: Callable[..., Study]) -> None:
    (only,) = sentences(sweep_of({"flat": FLAT, "slow": [[50.0] * 3] * 4}))
    assert only.endswith(": flat at all 4 values of network.clients.up, 1 Mbps to 8 Mbps.")
    never: dict[str, Any] = {"A": [[None], [3.0], [3.0], [3.0]], "B": [[None], [4.0], [4.0], [2.0]]}
    first, _ = sentences(sweep_of(never))
    assert (
        "no method with network.clients.up below a value from 1 Mbps to 2 Mbps, A from there to "
        "about 5.3 Mbps, B above" in first
    )


def test_a_study_without_sweeps_has_no_sentence(study_of: Callable[..., Study]) -> None:
    assert list(sentences(study_of({"A": 0.1, "B": 0.05}, {"x": 1}))) == []


def test_values_and_edges() -> None:
    assert [value_text(v, u) for v, u in ((5e5, "bit/s"), (0.04, "s"), (2, "s"), (0.25, "1"))] == [
        "500 kbps", "40 ms", "2 s", "0.25"
    ]  # fmt: skip
    assert edges([1, 4, 16], log=True) == [0.5, 2, 8, 32]
    assert edges([0, 10, 20], log=False) == [-5, 5, 15, 25]


def test_a_map_counts_cells_and_those_not_settled(study_of: Callable[..., Study]) -> None:
    places = {f"up {x} Mbps, rtt {y} ms": (x, y) for y in (5, 50) for x in (1, 2)}
    found = study_of({"A": 0.1, "B": 0.1}, dict.fromkeys(places, 1), seeds=range(3))
    swept = {
        label: (
            Setting("network.clients.up", x * 1e6, "bit/s", f"up {x} Mbps"),
            Setting("network.clients.rtt", y / 1e3, "s", f"rtt {y} ms"),
        )
        for label, (x, y) in places.items()
    }
    # B takes 4 s / Mbps, A takes 3 s; at 50 ms A takes 1 s with two seeds, and 9 s with the last.
    seconds = {
        label: {"A": [3.0] * 3 if y == 5 else [1.0, 1.0, 9.0], "B": [4.0 / x] * 3}
        for label, (x, y) in places.items()
    }
    outcomes = tuple(
        replace(each, time_to_target_s=seconds[each.variant][each.method][each.seed])
        for each in found.outcomes
    )
    study = replace(found, outcomes=outcomes, swept=swept)
    assert list(sentences(study)) == [
        "Lowest time to accuracy 0.50, median of 3 seeds, in 4 cells of network.clients.up and "
        "network.clients.rtt: A in 3, B in 1.",
        "With rtt 5 ms: A with network.clients.up below about 1.3 Mbps, B above.",
        "With rtt 50 ms: A at all 2 values of network.clients.up, 1 Mbps to 2 Mbps.",
        "In 2 cells the first method has the lowest time in fewer than 95% of the runs (3 seeds).",
    ]
