"""Sentences on sweeps: the leaders, the seeds that they are of, and what `compare` calls shown."""

from collections.abc import Callable
from typing import Any

from emulator.reports.findings import compared
from emulator.reports.run_report import Study
from emulator.reports.sweep_findings import edges, sentences, value_text

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
