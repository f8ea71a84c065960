"""What the page shows: the sentence, the table, two figures and notes."""

from dataclasses import replace

import pytest

from emulator.common.errors import NotRecordedError
from emulator.explore.replays import Replays, Run
from emulator.explore.view import Shown, view
from emulator.results.summary_file import Measured
from emulator.runner import run as running
from emulator.simulation.target import Goal

SLOW, FAST = "16x slower", "as fast"


@pytest.fixture(scope="module")
def replays(study):
    return Replays(study, running.options_for(study, None, train=False))


@pytest.fixture(scope="module")
def shown(form, study, replays):
    """Shows both methods of a variant, with one or two seeds that are alike but for their time."""

    def of(label, start=SLOW, seeds=1, texts=None):
        explored = form.explored(start, texts or {})
        results = {}
        for method in study.methods:
            found = replays.measured(explored.simulated, Run(method, 0))
            for seed in range(seeds):
                times = tuple((1 + seed) * t for t in found.curve.time_s)
                own = replace(found.outcome, seed=seed, duration_s=times[-1])
                results[Run(method, seed)] = Measured(own, found.curve._replace(time_s=times))
        return Shown(label, explored, results)

    return of


def test_one_scenario_with_one_seed(shown):
    found = view([shown("these settings")], Goal(0.5))
    assert found["answer"].startswith(
        "Under these settings, head only has the lowest time to accuracy 0.50: 8.1 s (one seed); "
        "LoRA takes 97.1 s."
    )
    assert found["table"]["heads"][:2] == ["method", "these settings"]
    assert found["table"]["rows"] == [
        ["LoRA", "97.1 s", "21", "130 MB", "130 MB", "0.520"],
        ["head only", "8.1 s", "21", "6.47 MB", "6.47 MB", "0.532"],
    ]
    assert found["table"]["bold"] == [[False], [True]]
    bars, labels = found["times"]["data"]
    assert bars["x"] == pytest.approx([97.1, 8.1], abs=0.1)
    assert labels["text"] == ["  97.1 s", "  8.1 s"]
    lines = found["curves"]["data"]
    assert [line["name"] for line in lines] == ["LoRA", "head only"]
    assert found["notes"] == []


def test_seeds_make_a_range_and_a_band(shown):
    found = view([shown("these settings", seeds=2)], Goal(0.5))
    assert "median of 2 seeds" in found["times"]["layout"]["xaxis"]["title"]["text"]
    assert found["table"]["rows"][1][1] == "12.1 s (8.1 s to 16.1 s)"
    bars = found["times"]["data"][0]
    assert bars["error_x"]["array"][1] == pytest.approx(bars["x"][1] / 3, rel=1e-3)
    low, high, mean, *_ = found["curves"]["data"]
    assert high["fill"] == "tonexty"
    assert all(a <= b <= c for a, b, c in zip(low["y"], mean["y"], high["y"], strict=True))
    assert low["y"] != high["y"]


def test_a_target_is_read_from_the_scores(shown):
    easy = view([shown("these settings")], Goal(0.3))
    assert float(easy["table"]["rows"][0][1].split()[0]) < 97
    never = view([shown("these settings")], Goal(0.99))
    assert "no method reaches accuracy 0.99" in never["answer"]
    assert [row[1] for row in never["table"]["rows"]] == ["never", "never"]
    assert never["times"]["data"][0]["marker"]["pattern"]["shape"] == ["/", "/"]
    none = view([shown("these settings")], None)
    assert "to the end of the run" in none["answer"]
    assert "shapes" not in none["curves"]["layout"]


def test_a_comparison_has_a_column_and_lines_per_scenario(shown):
    found = view([shown("a <b>$x$", FAST), shown("these settings")], Goal(0.5))
    assert found["table"]["heads"][1:3] == ["a <b>$x$", "these settings"]
    assert found["table"]["rows"][0][1:3] == ["17.2 s", "97.1 s"]
    assert found["answer"].startswith("Under these settings,")
    bars = found["times"]["data"][0]
    assert bars["marker"]["opacity"] == [0.5, 1.0] * 2
    legend = [line["name"] for line in found["curves"]["data"] if line.get("showlegend", True)]
    assert legend == ["LoRA", "head only", "a &lt;b&gt;&#36;x&#36;"]


def test_what_is_not_recorded_is_a_note(shown):
    one = shown("these settings")
    error = NotRecordedError("it asks for a round", "run it")
    failed = replace(one, results=one.results | {Run("LoRA", 0): error, Run("LoRA", 1): error})
    found = view([failed], Goal(0.5))
    assert found["notes"] == ["LoRA, these settings: it asks for a round (run it)."]
    assert [row[0] for row in found["table"]["rows"]] == ["head only"]
    nothing = view([replace(one, results={Run("LoRA", 0): error})], Goal(0.5))
    assert nothing["answer"] == "There are no results."
    assert nothing["times"]["data"] == []
