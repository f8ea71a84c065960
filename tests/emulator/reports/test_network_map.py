"""Which method is first in how many networks, against what is known by hand."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from emulator.reports.network_map import is_long, is_map, places, table


@pytest.fixture
def study(study_of):
    """LoRA is first in the first network, FLASC in the others; none reaches the last target."""
    found = study_of({"LoRA": 0.1, "FLASC": 0.1, "head": 0.1}, {"a": 1, "b": 1, "c": 1, "d": 1})
    times = {"LoRA": [1, 8, 8, None], "FLASC": [3, 2, 4, None], "head": [2, 4, None, None]}
    outcomes = tuple(
        replace(each, time_to_target_s=times[each.method]["abcd".index(each.variant)])
        for each in found.outcomes
    )
    return replace(found, outcomes=outcomes)


def test_first_places_and_ratios(study):
    found = {each.method: each for each in places(study)}
    assert {method: each.first for method, each in found.items()} == {
        "LoRA": 1, "FLASC": 2, "head": 0
    }  # fmt: skip
    assert {method: each.reached for method, each in found.items()} == {
        "LoRA": 3, "FLASC": 3, "head": 2
    }  # fmt: skip
    assert (found["LoRA"].lead, found["FLASC"].lead, found["head"].lead) == (2, 2, None)
    assert (found["LoRA"].behind, found["FLASC"].behind, found["head"].behind) == (3, 3, 2)


def test_the_table_is_short_and_says_where_all_rows_are(study):
    console = Console(width=80, file=io.StringIO())
    with console.capture() as shown:
        console.print(table(study))
    text = " ".join(shown.get().split())
    assert "No method reaches the target in 1 variant." in text
    assert "flasc-emu report FOLDER --format csv" in text
    assert not is_long(study)
    assert not is_map(study)
    assert is_map(replace(study, summaries=True))
    assert is_long(replace(study, variants=tuple(map(str, range(13)))))
