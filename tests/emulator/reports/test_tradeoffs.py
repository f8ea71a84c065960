"""Faster, but at what accuracy, and who paid: of known numbers, and of an emulation."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from emulator.reports import terminal, tradeoffs
from emulator.reports.page import data, page
from emulator.reports.run_report import Study, load
from emulator.reports.tradeoffs import tradeoff
from emulator.results.ledger import Ledger

Studies = Callable[..., Study]
HASTY = {"fast": 0.5}


@pytest.fixture
def late(deadline_run: Path) -> Study:
    with Ledger.open(deadline_run) as ledger:
        return load(ledger)


def printed(study: Study) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(terminal.table(study))
    return out.getvalue()


def test_at_equal_time_by_hand(study_of: Studies) -> None:
    """Rounds of 4 and 19 s: after 40 s the slow one is 2.1 rounds old, at 0.1 a round."""
    study = study_of({"LoRA": 0.1}, {"slow": 16, "fast": 1}, factors=HASTY)
    slow, fast = (tradeoff(study, "LoRA", v, study.variants) for v in ("slow", "fast"))
    assert slow
    assert fast
    assert slow.accuracy.median == 1.0
    assert slow.equal_time
    assert slow.equal_time.median == pytest.approx(40 / 19 * 0.1)
    assert fast.equal_time
    assert fast.equal_time.median == fast.accuracy.median == 0.5
    said = " ".join(printed(study).split())
    gain = "accuracy -0.500 at the end, +0.289 at equal time"
    assert f"fast, against slow (one seed): ends after 21 % of the time, {gain}." in said


def test_nothing_of_it_where_variants_learn_the_same(study_of: Studies) -> None:
    study = study_of({"LoRA": 0.1}, {"slow": 16, "fast": 1})
    assert not study.has_tradeoffs
    assert "at equal" not in printed(study)
    text = page.html(study)
    assert "At equal time" not in text
    assert "Networks" in text


def test_the_page_has_the_columns(study_of: Studies) -> None:
    text = page.html(study_of({"LoRA": 0.1}, {"slow": 16, "fast": 1}, factors=HASTY))
    for head in ("At equal time", "Ended"):
        assert f"<button>{head}</button>" in text
    assert "<button>Wasted</button>" not in text, "0 % in each row"
    assert "<li>fast, against slow (one seed):" in text
    first = "LoRA under fast has the lowest time to accuracy 0.50: 40.0 s (one seed); "
    assert f"{first}under slow it takes 95.0 s. The difference may be due to chance." in text


def test_who_paid_for_a_deadline(late: Study) -> None:
    for head in ("Wasted", "Excluded"):
        assert f"<button>{head}</button>" in page.html(late)
    waited, hurried = (tradeoff(late, "LoRA", v, late.variants) for v in ("wait", "2 s"))
    assert waited
    assert hurried
    assert waited.wasted_bytes == waited.wasted_compute == 0
    assert 0 < hurried.wasted_bytes < 1
    assert hurried.wasted_compute
    assert 0 < hurried.wasted_compute < 1
    assert hurried.excluded
    assert waited.excluded is not None
    assert hurried.excluded > waited.excluded
    said = " ".join(map(" ".join, tradeoffs.sentences(late)))
    assert "of the compute is wasted instead of 0 %" in said
    assert "on data of excluded minus included clients" in said
    assert "compute" in printed(late)


def test_the_pages_data_are_the_groups(late: Study) -> None:
    found = json.loads(data.to_json(late))
    assert found["groups"] == ["home", "phone"]
    for one, outcome in zip(found["emulations"], late.outcomes, strict=True):
        assert sum(one["bytes"]) == outcome.bytes_down + outcome.bytes_up
        assert one["bytes"][1] == outcome.wasted_bytes_down + outcome.wasted_bytes_up
        assert sum(s for *_, s in one["causes"]) == pytest.approx(outcome.duration_s, rel=1e-4)
        assert sum(s for _, s, _ in one["unheard"]) == pytest.approx(outcome.unheard_examples)
        assert one["served"] == [outcome.heard_accuracy, outcome.unheard_accuracy]
    hurried = found["emulations"][1]
    assert {group for group, *_ in hurried["causes"]} == {-1}, "the deadline ends every round"
    within = {found["groups"][group]: share for group, _, share in hurried["unheard"]}
    assert within["phone"] == 1, "no phone is ever in time"
    assert within["home"] < 1


def test_a_metric_by_its_name(study_of: Studies) -> None:
    study = study_of({"LoRA": 0.1}, {"a": 1, "b": 2}, factors={"b": 0.5}, metric="micro F1")
    text = " ".join(printed(study).split())
    assert "Simulated time to micro F1 0.50" in text
    assert "accuracy" not in text
    shown = page.html(study)
    assert "<h2>Micro F1</h2>" in shown
    assert "<button>Micro F1</button>" in shown
    assert "ccuracy" not in shown[: shown.index("<script type")]
