"""Simulated against measured: medians, errors, and which re-enactments count."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from emulator.testbed import validate
from emulator.testbed.linux.run import LATE_S, Enacted, repeat
from emulator.testbed.validate import Comparison, Pair


def enacted(case, factor=1.0, late_s=LATE_S / 2):
    """As simulated, but so many times as long."""
    times = [(factor * d.start_s, factor * d.finish_s) for d in case.simulated]
    return Enacted(times, {"late_99_s": late_s})


def test_an_error_is_positive_where_simulated_is_slow():
    assert Pair(1.1, 1.0).error == pytest.approx(0.1)
    assert Pair(0.5, 1.0).error == -0.5


def test_measured_values_are_medians(case):
    comparison = Comparison(case, [enacted(case, factor) for factor in (3, 1.25, 1)])
    assert comparison.makespan.measured_s == pytest.approx(1.25 * case.makespan_s)
    assert comparison.makespan.error == pytest.approx(-0.2)
    assert comparison.mean.error == pytest.approx(-0.2)
    assert comparison.mean_error == pytest.approx(0.2)
    for pair, delivery in zip(comparison.transfers, case.simulated, strict=True):
        assert pair.simulated_s == delivery.finish_s - delivery.start_s
        assert pair.error == pytest.approx(-0.2)


def test_the_mean_error_has_no_signs_that_cancel(case):
    base = enacted(case)
    times = [(start, start + (finish - start) * (2 if n % 2 else 0.5))
             for n, (start, finish) in enumerate(base.times)]  # fmt: skip
    comparison = Comparison(case, [replace(base, times=times)])
    assert comparison.mean_error == pytest.approx((1 + 0.5) / 2)


def test_late_re_enactments_are_done_again_and_the_least_late_count(case):
    late = [5, 0.1, 7, 0.2, 6]
    runs = [enacted(case, n + 1.0, one * LATE_S) for n, one in enumerate(late)]
    kept, more = repeat(2, 10, iter(runs).__next__)
    assert [one.late_s / LATE_S for one in kept] == pytest.approx([0.1, 0.2])
    assert more == 2
    kept, more = repeat(3, 5, iter(runs).__next__)
    assert [one.late_s / LATE_S for one in kept] == pytest.approx([0.1, 0.2, 5])
    assert more == 2


def test_the_limit_bounds_all_attempts_and_is_shared(case, monkeypatch):
    count = []

    def once(*_):
        count.append(1)
        return enacted(case, late_s=1.0)

    monkeypatch.setattr(validate, "enact", once)
    said = []
    found = validate.measure([case, case], 2, 8 * case.cost_s + 0.001, said.append)
    assert len(count) == 8
    assert [one.discarded for one in found] == [2, 2]
    assert len(said) == 2


def test_a_warning_names_lateness_load_and_ceiling(case):
    assert validate.warning(Comparison(case, [enacted(case)]), 1e9) == ""
    late = Comparison(case, [enacted(case), enacted(case, late_s=0.0072)])
    said = validate.warning(late, 12.5e6)
    assert said.startswith("LoRA, fast: measured times are too long: packets were 7.2 ms late.")
    assert "40 Mbps together, and this machine forwarded 100 Mbps" in said


def test_json_has_everything_by_transfer(case):
    comparison = Comparison(case, [enacted(case, 2), enacted(case, 2)], 3)
    whole = json.loads(validate.to_json([comparison], 1e7))
    assert whole["machine"]["relay_ceiling_bps"] == 80_000_000
    (found,) = whole["cases"]
    assert (found["method"], found["variant"], found["round"]) == ("LoRA", "fast", 1)
    assert (found["repeats"], found["discarded"]) == (2, 3)
    assert found["makespan"]["error"] == pytest.approx(-0.5)
    assert [row["client"] for row in found["transfers"]] == [7, 7, 9, 9]
    for row in found["transfers"]:
        assert row["each_measured_s"] == pytest.approx([row["measured_s"]] * 2)
        assert row["error"] == pytest.approx(row["simulated_s"] / row["measured_s"] - 1)


def printed(*comparisons):
    text = io.StringIO()
    Console(file=text, width=80).print(validate.tables(comparisons))
    return text.getvalue()


def test_tables_show_each_transfer_and_the_whole(case):
    out = printed(Comparison(replace(case, method="[red]x\x1b[31m"), [enacted(case, 2)], 1))
    assert "[red]x\\x1b[31m, fast: round 1, median of 1 (1 disturbed)" in out
    assert "\x1b" not in out
    assert out.count("-50.0 %") == len(case.messages) + 1
    assert max(map(len, out.splitlines())) <= 80


def test_many_transfers_are_cut_short(case):
    many = replace(case, messages=list(case.messages) * 30, simulated=list(case.simulated) * 30)
    out = printed(Comparison(many, [enacted(many)]))
    assert "… and 80 more in validation.json" in out
