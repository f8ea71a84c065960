"""The page as text: one file, no network, every string escaped. How it looks: test_browser."""

import base64
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from emulator.reports.page import data, page
from emulator.reports.run_report import Study
from emulator.simulation.records import Emulation

Studies = Callable[..., Study]

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """What the tests ask of a page; fails where a tag is closed that is not open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.urls: list[str] = []
        self.keys: list[float] = []
        self.text: dict[str, list[str]] = {}
        self.policy = ""
        self.data: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "id":
                self.ids.append(value or "")
            if name in {"href", "src", "xlink:href"}:
                self.urls.append(value or "")
            if name == "content" and (value or "").startswith("default-src"):
                self.policy = value or ""
            if name == "data-key":
                self.keys.append(float(value or "nan"))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"] and data.startswith('{"'):
            self.data.append(data)
        if self.open and data.strip():
            self.text.setdefault(self.open[-1], []).append(data)


written = page.html


def test_the_page_holds_the_run(study_of: Studies) -> None:
    study = study_of({"LoRA": 0.1, "Head only": 0.04}, {"1x": 1, "16x": 16})
    text = written(study)
    parsed = Page(text)
    assert parsed.text["title"] == ["slow upload"]
    assert parsed.tags["svg"] == parsed.tags["img"] == 0, "charts are drawn in the browser"
    assert parsed.text["td"][:5] == ["LoRA", "1x", "20.0 s", "5", "20 kB"]
    assert parsed.text["td"].count("never") == 2 * 4
    assert parsed.text["pre"] == ["name: slow upload\n", *parsed.text["pre"][1:]]
    assert '"flasc-emu": "0.1.0"' in parsed.text["pre"][1]
    assert len(text.encode()) < 6_000_000, "light enough to mail"


def test_cells_sort_by_number_and_never_comes_last(study_of: Studies) -> None:
    parsed = Page(written(study_of({"LoRA": 0.1, "Head only": 0.04}, {"1x": 1})))
    columns = len(parsed.keys) // 2
    assert parsed.tags["button"] == columns + 2, "and two that turn the rounds"
    lora, head = parsed.keys[:columns], parsed.keys[columns:]
    assert lora == [0, 0, 20.0, 5, 20_000, 5_000, 1.0, 0.99]
    assert head == [1, 0, *[math.inf] * 4, 0.4, 0.39]


def test_nothing_is_fetched_and_no_script_but_ours_runs(study_of: Studies) -> None:
    text = written(study_of({"A": 0.1, "B": 0.04}, {"x": 1, "y": 2}))
    parsed = Page(text)
    assert parsed.urls == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert parsed.policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in parsed.policy
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert re.findall(r"'sha256-([^']+)'", parsed.policy) == hashes


def test_the_data_are_the_studys(study_of: Studies) -> None:
    study = study_of({"A": 0.1, "</script>": 0.04}, {"x": 1, "y": 2}, seeds=(0, 1))
    (text,) = Page(written(study)).data
    found = json.loads(text)
    assert found["methods"] == ["A", "</script>"]
    for one, outcome in zip(found["emulations"], study.outcomes, strict=True):
        assert one["time_s"] == outcome.time_to_target_s
        assert sum(one["parts_s"]) == outcome.download_s + outcome.compute_s + outcome.upload_s
        assert one["curve"]["score"] == pytest.approx(
            [k * (0.04 if one["method"] else 0.1) for k in range(11)]
        )
        assert [r["round"] for r in one["rounds"]] == list(range(1, 11))
        assert one["rounds"][0]["clients"][0][1][0] == [0, 0, 2]


def test_long_curves_are_thinned_and_the_page_says_so(
    study_of: Studies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "MOST_POINTS", 10)
    monkeypatch.setattr(data, "FEWEST_POINTS", 4)
    study = study_of({"A": 0.1, "B": 0.04}, {"x": 1})
    text = written(study)
    (found,) = (json.loads(text) for text in Page(text).data)
    assert found["emulations"][0]["curve"]["round"] == [0, 2, 5, 8, 10]
    assert "5 of 11 evaluations are kept" in text
    monkeypatch.undo()
    assert "are kept, at even steps." not in re.sub(
        "<script.*</script>", "", written(study), flags=re.DOTALL
    )


def test_every_string_is_escaped(study_of: Studies) -> None:
    evil = "</script></pre><script>alert(1)</script><img src=x onerror=alert(1)> --> ]]> {css} \"'"
    study = study_of(
        {evil: 0.1, "B" + evil: 0.01},
        {evil: 1},
        absent=[Emulation("B" + evil, evil, 0)],
        name=evil,
        split=evil,
        scenario=evil,
        provenance=evil,
    )
    parsed = Page(written(study))
    assert parsed.tags["script"] == 3, "data, plotly and ours"
    assert parsed.tags["img"] == 0
    assert parsed.text["h1"] == [evil]
    assert parsed.text["pre"] == [evil, evil]
    assert evil in parsed.text["td"]
    assert evil in parsed.text["strong"][0]


def test_our_script_asks_for_nothing_and_writes_no_markup() -> None:
    script = page._script()
    assert not re.search(r"\b(import|fetch|eval|Function|innerHTML|outerHTML|http)\b", script)


def test_the_page_says_of_how_many_seeds_its_numbers_are(study_of: Studies) -> None:
    study = study_of({"LoRA": 0.1, "FLASC": 0.1}, {"1x": 1}, seeds=(0, 1, 2))
    text = " ".join(page.html(study).partition("<script")[0].split())
    assert "median of 3 seeds, with the range from minimum to maximum below." in text
    assert "median of 3 seeds, with a line from minimum to maximum." in text
    assert "Grey: not reached with half of the seeds or more." in text
    assert text.count("Mean of 3 seeds") >= 3
    none = "Compared with LoRA by time, over 3 seeds: no difference is shown at 5 %."
    assert text.count(none) == 2, "at the bars and at the table"
    one = page.html(study_of({"LoRA": 0.1, "FLASC": 0.1}, {"1x": 1})).partition("<script")[0]
    assert "one seed. Grey: never reached." in one
    assert "One seed: differences may be due to chance." in one


def test_seeds_and_their_range_show_where_there_are_several(study_of: Studies) -> None:
    parsed = Page(written(study_of({"LoRA": 0.1}, {"1x": 1}, seeds=(0, 1, 2))))
    assert parsed.text["td"][2:5] == ["25.0 s", "20.0 s – 30.0 s", "3 of 3"]
