"""The page: one file, no network, every string escaped, a table that sorts by number."""

import math
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from emulator.records import Emulation
from emulator.report import figure, page
from emulator.report.study import Study

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
        if self.open and data.strip():
            self.text.setdefault(self.open[-1], []).append(data)


def written(study: Study) -> str:
    return page.html(study, figure.svg(figure.overview, study))


def test_the_page_holds_the_run(study_of: Studies) -> None:
    study = study_of({"LoRA": 0.1, "Head only": 0.04}, {"1x": 1, "16x": 16})
    text = written(study)
    parsed = Page(text)
    assert parsed.text["title"] == ["slow upload"]
    assert parsed.tags["svg"] == 2
    assert parsed.text["td"][:5] == ["LoRA", "1x", "20.0 s", "5", "20 kB"]
    assert parsed.text["td"].count("never") == 2 * 4
    assert parsed.text["pre"] == ["name: slow upload\n", *parsed.text["pre"][1:]]
    assert '"flasc-emu": "0.1.0"' in parsed.text["pre"][1]
    assert len(text) < 1_000_000


def test_cells_sort_by_number_and_never_comes_last(study_of: Studies) -> None:
    parsed = Page(written(study_of({"LoRA": 0.1, "Head only": 0.04}, {"1x": 1})))
    columns = parsed.tags["th"]
    assert parsed.tags["button"] == columns
    lora, head = parsed.keys[:columns], parsed.keys[columns:]
    assert lora == [0, 0, 20.0, 5, 20_000, 5_000, 1.0, 0.99]
    assert head == [1, 0, *[math.inf] * 4, 0.4, 0.39]


def test_nothing_is_fetched_and_ids_do_not_collide(study_of: Studies) -> None:
    parsed = Page(written(study_of({"A": 0.1, "B": 0.04}, {"x": 1, "y": 2})))
    assert all(url.startswith("#") for url in parsed.urls)
    assert {url[1:] for url in parsed.urls} <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))


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
    assert parsed.tags["script"] == 1, "ours"
    assert parsed.tags["img"] == 0
    assert parsed.text["h1"] == [evil]
    assert parsed.text["pre"] == [evil, evil]
    assert evil in parsed.text["td"]
    assert evil in parsed.text["strong"][0]


def test_the_largest_page_stays_under_a_megabyte(study_of: Studies) -> None:
    methods = {f"Method number {i} with its settings": 0.1 - i / 100 for i in range(8)}
    text = written(study_of(methods, {"1x": 1, "4x": 4, "16x": 16}, seeds=(0, 1, 2)))
    assert len(text.encode()) < 1_000_000


@pytest.mark.parametrize(
    ("methods", "sentence"),
    [
        ({"LoRA": 0.1}, "Under y, LoRA is first to get to accuracy 0.50: 25.0 s."),
        (
            {"LoRA": 0.05, "FLASC": 0.1},
            "Under y, FLASC is first to get to accuracy 0.50: 25.0 s; "
            "LoRA takes 50.0 s, 2.0 times as long.",
        ),
        (
            {"LoRA": 0.1, "FLASC": 0.05},
            "Under y, LoRA is first to get to accuracy 0.50: 25.0 s; "
            "FLASC takes 50.0 s, 2.0 times as long.",
        ),
        (
            {"LoRA": 0.01, "FLASC": 0.1},
            "Under y, FLASC is first to get to accuracy 0.50: 25.0 s; LoRA never does.",
        ),
        ({"LoRA": 0.01}, "Under y, no method gets to accuracy 0.50."),
    ],
)
def test_headline(study_of: Studies, methods: dict[str, float], sentence: str) -> None:
    assert page.headline(study_of(methods, {"x": 9, "y": 2})) == sentence


def test_the_sorting_is_plain_javascript() -> None:
    assert not re.search(r"import|fetch|http|innerHTML|eval", page._SORT)


def test_seeds_and_their_range_show_where_there_are_several(study_of: Studies) -> None:
    parsed = Page(written(study_of({"LoRA": 0.1}, {"1x": 1}, seeds=(0, 1, 2))))
    assert parsed.text["td"][2:5] == ["25.0 s", "20.0 s – 30.0 s", "3 of 3"]
