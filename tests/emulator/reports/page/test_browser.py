"""The page in a real Chromium: it draws, toggles and sorts, complains of nothing, asks for nothing.

Skipped where there is no Chromium. Each check reads what plotly drew, not what it was told.
"""

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emulator.reports.page import page
from emulator.reports.run_report import Study, load
from emulator.results.ledger import Ledger

Studies = Callable[..., Study]

METHODS = {"LoRA": 0.1, "FLASC": 0.06, "head": 0.04}
VARIANTS = {"fast": 1, "slow": 16}
META = {
    "densities": json.dumps({"LoRA": [1, 1], "FLASC": [0.25, 0.0625]}),
    "fleet": json.dumps(
        {
            v: [{"name": "all", "clients": 9, "down_Bps": [1e6, 2e6, 3e6], "up_Bps": [1e5]}]
            for v in VARIANTS
        }
    ),
}
CHARTS = ("goals", "times", "curves", "heat", "parts", "round", "fleet")


@pytest.fixture
def shown(browser: Any, study_of: Studies, tmp_path: Path) -> Callable[..., Any]:
    """Open the page of a study; it must draw without a word and without a request."""

    def show(*args: object, width: int = 1400, scheme: str = "light", **options: object) -> Any:
        path = tmp_path / "index.html"
        path.write_text(page.html(study_of(*args, **options)), "utf-8")
        browser.open(path, width, 900, scheme)
        return browser

    return show


def quiet(browser: Any) -> None:
    """No exception, no console message, no request but the page's own file and its own images."""
    assert browser.complaints() == []
    asked = [url for url in browser.requests() if not url.startswith(("data:image/", "blob:"))]
    assert [url.rpartition("/")[2] for url in asked] == ["index.html"]


def words(browser: Any, chart: str) -> str:
    """All text that a chart shows."""
    return str(browser.evaluate(f"document.getElementById('{chart}').textContent"))


def click(browser: Any, selector: str) -> None:
    assert browser.evaluate(f"document.querySelector({selector!r}).click() || true")


def choose(browser: Any, id_: str, value: str) -> None:
    code = f"(e => {{ e.value = {value!r}; e.dispatchEvent(new Event('change')); }})"
    browser.evaluate(f"{code}(document.getElementById('{id_}'))")


def unfold(browser: Any) -> None:
    """Open every folded section, to the end of the event that draws its charts."""
    browser.evaluate(
        "Promise.all([...document.querySelectorAll('details:not([open])')].map(one => "
        "new Promise(done => { one.addEventListener('toggle', done); one.open = true; })))"
        ".then(() => true)"
    )


def bars(browser: Any, chart: str) -> int:
    return int(browser.evaluate(f"document.querySelectorAll('#{chart} .bars .point').length"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_every_chart_is_drawn_and_fits(shown: Callable[..., Any], width: int, scheme: str) -> None:
    browser = shown(METHODS, VARIANTS, seeds=(0, 1), width=width, scheme=scheme, **META)
    for chart in CHARTS:
        assert browser.evaluate(f"document.querySelectorAll('#{chart} .main-svg').length") > 0
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.evaluate(wide) == 0, "nothing to scroll sideways"
    ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(json.loads(f"[{ground[4:-1]}]")) < 200) == (scheme == "dark")
    assert browser.screenshot().startswith(b"\x89PNG")
    quiet(browser)


def test_bars_are_the_table_and_grey_where_never(shown: Callable[..., Any]) -> None:
    browser = shown(METHODS, VARIANTS)
    text = words(browser, "times")
    for said in ("20.0 s", "36.0 s", "95.0 s", "2 min 51 s"):
        assert said in text
    assert text.count("never") == 2
    assert bars(browser, "times") == len(METHODS) * len(VARIANTS)
    quiet(browser)


def test_numbers_over_seeds_name_their_statistic(
    browser: Any, study_of: Studies, tmp_path: Path
) -> None:
    """Times 20, 25 and never: the median is 25 s, in bars and in the sums of parts."""
    study = study_of({"LoRA": 0.1, "head": 0.1}, {"fast": 1}, seeds=(0, 1, 2))
    never = {("LoRA", 2), ("head", 1), ("head", 2)}
    outcomes = tuple(
        replace(o, time_to_target_s=None) if (o.method, o.seed) in never else o
        for o in study.outcomes
    )
    path = tmp_path / "index.html"
    path.write_text(page.html(replace(study, outcomes=outcomes)), "utf-8")
    browser.open(path, 1400, 900, "light")
    times, parts = words(browser, "times"), words(browser, "parts")
    assert "median 25.0 s, 1 of 3 seeds never" in times
    assert "2 of 3 seeds never" in times
    assert "median 25.0 s, 1 of 3 seeds never" in parts
    quiet(browser)


def test_the_slider_moves_the_bars_and_the_table(shown: Callable[..., Any]) -> None:
    """Rounds of 4 s: LoRA has 0.5 after 20 s and 0.8 after 32 s, FLASC at most 0.6."""
    browser = shown(METHODS, {"fast": 1}, seeds=(0, 1))
    cells = "[...document.querySelectorAll('#results td')].map(c => c.textContent)"
    before = browser.evaluate(cells)
    assert before[2] == "22.5 s"
    assert words(browser, "aim-say") == "accuracy 0.50, the run's own"

    def move(value: float) -> None:
        at = f"run.targets.values.findIndex(v => Math.abs(v - {value}) < 1e-9)"
        data = "const run = JSON.parse(document.getElementById('data').textContent)"
        slide = "e.dispatchEvent(new Event('input'))"
        browser.evaluate(
            f"(e => {{ {data}; e.value = {at}; {slide}; }})(document.getElementById('aim'))"
        )

    move(0.8)
    top = "[...document.querySelectorAll('#top td')].map(c => c.textContent)"
    assert browser.evaluate(top)[:2] == ["LoRA", "36.0 s32.0 s – 40.0 s"]
    after = browser.evaluate(cells)
    assert after[2:8] == ["36.0 s", "32.0 s – 40.0 s", "2 of 2", "8", "32 kB", "8 kB"]
    assert after.count("never") == 2 * 5, "FLASC and head: time, range, rounds and bytes"
    assert "36.0 s" in words(browser, "times")
    assert words(browser, "times").count("2 of 2 seeds never") == 2
    assert browser.evaluate("document.querySelector('[data-goal]').textContent") == "accuracy 0.80"
    assert "accuracy 0.80" in words(browser, "aim-note")
    move(0.5)
    assert browser.evaluate(cells) == before
    quiet(browser)


def test_a_metric_that_falls_is_drawn_by_its_name(shown: Callable[..., Any]) -> None:
    told = {"metric": "perplexity", "direction": "lower", "target": "0.125"}
    browser = shown({"LoRA": 0.1}, {"fast": 1}, **told)
    assert words(browser, "aim-say") == "perplexity 0.125, the run's own"
    assert "perplexity" in words(browser, "curves")
    data = "JSON.parse(document.getElementById('data').textContent).targets.values"
    values = browser.evaluate(data)
    assert values == sorted(values, reverse=True), "the easiest first"
    assert len(values) > 5
    quiet(browser)


def test_chips_take_methods_networks_and_seeds_away(shown: Callable[..., Any]) -> None:
    browser = shown(METHODS, VARIANTS, seeds=(0, 1))
    assert bars(browser, "times") == 6
    assert "22.5 s" in words(browser, "times"), "the median of 20 and 25"
    click(browser, "#seeds input")
    assert "25.0 s" in words(browser, "times")
    click(browser, "#variants input")
    assert bars(browser, "times") == 3
    click(browser, "#methods input")
    assert bars(browser, "times") == 2
    assert "LoRA" not in words(browser, "times") + words(browser, "curves")
    for box in (2, 3):
        click(browser, f"#methods label:nth-of-type({box}) input")
    assert "Nothing is selected" in words(browser, "times")
    for box in (1, 2, 3):
        click(browser, f"#methods label:nth-of-type({box}) input")
    assert bars(browser, "times") == 3
    quiet(browser)


@pytest.mark.parametrize(
    ("against", "ends"),
    [("time", [40.0, 50.0]), ("bytes", [0.05]), ("rounds", [10.0]), ("up", [0.01])],
)
def test_curves_against_what_it_cost(
    shown: Callable[..., Any], against: str, ends: list[float]
) -> None:
    browser = shown({"LoRA": 0.05}, VARIANTS, seeds=(0, 1))
    choose(browser, "curves-variant", "0")
    choose(browser, "curves-against", against)
    low, high, mean = browser.evaluate(
        "document.getElementById('curves').data.map(t => [t.x, t.y])"
    )
    assert mean[0][-1] == pytest.approx(min(ends))
    for x, least, middle, most in zip(mean[0], low[1], mean[1], high[1], strict=True):
        per_seed = [min(x / end, 1) / 2 for end in (ends * 2)[:2]]
        assert (least, most) == pytest.approx((min(per_seed), max(per_seed)), abs=1e-6)
        assert middle == pytest.approx(math.fsum(per_seed) / 2, abs=1e-6)
    quiet(browser)


def test_the_timeline_walks_through_the_rounds(shown: Callable[..., Any]) -> None:
    browser = shown(METHODS, VARIANTS)
    assert "round 1 of 10" in browser.evaluate("document.getElementById('round-say').value")
    click(browser, "#round-on")
    choose(browser, "round-variant", "1")
    assert browser.evaluate("document.getElementById('round-say').value") == "round 2 of 10"
    note = browser.evaluate("document.getElementById('round-note').textContent")
    assert "began at 19.0 s and took 19.0 s" in note
    spans = browser.evaluate(
        "document.getElementById('round').data.map(t => [t.name, t.base[0], t.x[0]])"
    )
    assert spans == [["download", 0, 2], ["compute", 2, 1], ["upload", 3, 16]]
    quiet(browser)


def test_hover_says_the_number(shown: Callable[..., Any]) -> None:
    browser = shown({"LoRA": 0.1}, {"fast": 1})
    box = browser.evaluate(
        "(r => [r.x + r.width / 2, r.y + r.height / 2])"
        "(document.querySelector('#times .bars .point').getBoundingClientRect())"
    )
    for k in (0, 1):
        browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0] + k, y=box[1])
    told = browser.evaluate(
        "new Promise(done => { const look = () => { const e = document.querySelector("
        "'#times .hovertext'); e ? done(e.textContent) : requestAnimationFrame(look); }; look(); })"
    )
    assert "LoRA" in told
    assert "20.0 s" in told
    quiet(browser)


def test_headings_sort_with_never_at_the_end(shown: Callable[..., Any]) -> None:
    browser = shown(METHODS, {"fast": 1})
    first = "[...document.querySelectorAll('.named tbody td:first-child')].map(t => t.textContent)"
    click(browser, ".named th:nth-child(3) button")
    assert browser.evaluate(first) == ["LoRA", "FLASC", "head"]
    click(browser, ".named th:nth-child(3) button")
    assert browser.evaluate(first) == ["head", "FLASC", "LoRA"]
    quiet(browser)


def test_names_are_text_and_nothing_else(shown: Callable[..., Any]) -> None:
    evil = (
        "<b>x</b><a href='javascript:alert(1)'>y</a> %{x} &amp; $z$ <img src=x onerror=alert(1)> "
        "</script><script>window.hit = 1</script>"
    )
    meta = {"fleet": json.dumps({evil: [
        {"name": evil, "clients": 1, "down_Bps": [1e6], "up_Bps": [1e5]}]})}  # fmt: skip
    browser = shown({evil: 0.1, "B": 0.04}, {evil: 1}, scenario=evil, provenance=evil, **meta)
    assert browser.evaluate("typeof window.hit") == "undefined"
    unfold(browser)
    for chart in ("goals", "times", "curves", "parts", "fleet"):
        assert "<b>x</b><a href='javascript:alert(1)'>y</a>" in words(browser, chart).replace(
            "\n", ""
        ).replace("href", " href").replace("  ", " ")
        assert browser.evaluate(f"document.querySelectorAll('#{chart} a[*|href]').length") == 0
    assert browser.evaluate("document.querySelectorAll('img').length") == 0
    quiet(browser)


def test_a_run_without_target_meta_or_seeds_is_drawn(shown: Callable[..., Any]) -> None:
    browser = shown({"LoRA": 0.1}, {"fast": 1}, target=None)
    assert "40.0 s" in words(browser, "times")
    hidden = ("heat-section", "fleet-section", "seeds", "variants")
    for name in hidden:
        assert browser.evaluate(f"document.getElementById('{name}').offsetHeight") == 0
    quiet(browser)


def test_who_paid_is_drawn_by_method_and_by_group(
    browser: Any, deadline_run: Path, tmp_path: Path
) -> None:
    with Ledger.open(deadline_run) as ledger:
        (tmp_path / "index.html").write_text(page.html(load(ledger)), "utf-8")
    browser.open(tmp_path / "index.html")
    unfold(browser)
    for chart in ("causes", "waste", "unheard", "served"):
        assert browser.evaluate(f"document.querySelectorAll('#{chart} .main-svg').length") > 0
    assert "client up" in words(browser, "causes")
    assert "deadline" in words(browser, "causes")
    choose(browser, "causes-by", "groups")
    assert "100 %" in words(browser, "causes"), "phones hold up every round that waits for all"
    assert "no client" in words(browser, "causes")
    click(browser, "#causes-share")
    assert "100 %" not in words(browser, "causes")
    assert "% wasted" in words(browser, "waste")
    choose(browser, "waste-of", "compute_s")
    assert "compute time of all clients" in words(browser, "waste")
    shown = "document.getElementById('curves').data.filter(t => t.name).map(t => t.name)"
    assert browser.evaluate(shown) == ["wait", "2 s"], "a line a variant, where they differ"
    choose(browser, "curves-lines", "methods")
    assert browser.evaluate(shown) == ["LoRA"]
    click(browser, "#methods input")
    for chart in ("causes", "waste", "unheard", "served"):
        assert "Nothing is selected" in words(browser, chart)
    quiet(browser)


def test_what_a_run_does_not_say_is_not_shown(shown: Callable[..., Any]) -> None:
    browser = shown({"LoRA": 0.1}, {"fast": 1})
    for name in ("causes-section", "waste-section", "left-section"):
        assert browser.evaluate(f"document.getElementById('{name}').offsetHeight") == 0
    quiet(browser)


@pytest.mark.parametrize("form", ["svg", "png"])
def test_a_chart_can_be_saved(shown: Callable[..., Any], form: str) -> None:
    """The policy must let plotly.js turn its own drawing into a picture, and nothing else in."""
    browser = shown({"LoRA": 0.1}, {"fast": 1})
    options = f"{{format: {form!r}, width: 400, height: 300}}"
    saved = browser.evaluate(f"Plotly.toImage('times', {options})")
    assert saved.startswith(f"data:image/{form}")
    assert len(saved) > 1000
    loads = "new Promise(d => { const i = new Image(); i.onload = i.onerror = e => d(e.type);"
    assert browser.evaluate(f"{loads} i.src = 'https://example.invalid/x.png'; }})") == "error"
    (complaint,) = browser.complaints()
    assert "Content Security Policy" in complaint


def test_the_first_table_has_a_row_per_method_by_the_last_network(
    shown: Callable[..., Any],
) -> None:
    browser = shown(METHODS, VARIANTS)
    rows = (
        "[...document.querySelectorAll('#top tr')].map(r => [...r.cells].map(c => c.textContent))"
    )
    assert browser.evaluate(rows) == [
        ["Method", "fast", "slow"],
        ["LoRA", "20.0 s", "95.0 s"],
        ["FLASC", "36.0 s", "2 min 51 s"],
        ["head", "never", "never"],
    ]
    click(browser, "#methods input")
    assert browser.evaluate(rows)[1][0] == "FLASC"
    assert browser.evaluate("document.querySelector('#top .least').textContent") == "36.0 s"
    quiet(browser)


def test_time_against_target_rises_to_what_each_method_reaches(shown: Callable[..., Any]) -> None:
    """Rounds of 4 s: LoRA gains 0.1 a round, FLASC 0.06, head 0.04."""
    browser = shown(METHODS, {"fast": 1})
    lines = browser.evaluate("document.getElementById('goals').data.map(t => [t.name, t.x, t.y])")
    assert [name for name, _, _ in lines] == list(METHODS)
    for name, targets, times in lines:
        gain = METHODS[name]
        for target, time in zip(targets, times, strict=True):
            assert time == 4 * math.ceil(target / gain - 1e-9)
        assert max(targets) <= 10 * gain + 1e-9
    quiet(browser)


def test_what_says_nothing_new_is_folded(shown: Callable[..., Any]) -> None:
    """Clients that are all alike need no chart of rates and no timeline."""
    one = {"name": "all", "clients": 9, "down_Bps": [1e6], "up_Bps": [1e5]}
    browser = shown({"LoRA": 0.1}, {"fast": 1}, fleet=json.dumps({"fast": [one]}))
    folded = "[...document.querySelectorAll('details:not([open])')].map(d => d.id)"
    same = {"round-section", "fleet-section"}
    assert same <= set(browser.evaluate(folded))
    assert browser.evaluate("document.querySelectorAll('#round .main-svg').length") == 0
    unfold(browser)
    assert browser.evaluate("document.querySelectorAll('#round .main-svg').length") > 0
    assert not same & set(shown(METHODS, VARIANTS, **META).evaluate(folded))
    quiet(browser)


def test_contents_lead_to_sections_and_unfold_them(shown: Callable[..., Any]) -> None:
    browser = shown({"LoRA": 0.1}, {"fast": 1})
    links = "[...document.querySelectorAll('#contents a')].map(a => a.getAttribute('href'))"
    linked = browser.evaluate(links)
    assert "#results-section" in linked
    assert "#waste-section" not in linked, "not on this page"
    for link in linked:
        assert browser.evaluate(f"document.querySelector('{link}').offsetHeight") > 0
    click(browser, "#contents a[href='#results-section']")
    assert browser.evaluate("document.getElementById('results-section').open")
    quiet(browser)


def test_the_numbers_of_each_chart_can_be_saved(shown: Callable[..., Any]) -> None:
    browser = shown({"LoRA": 0.1, 'a "b", c': 0.04}, {"fast": 1}, seeds=(0, 1), **META)
    unfold(browser)
    browser.evaluate(
        "window.saved = {}; URL.createObjectURL = blob => { window.blob = blob; return 'blob:x'; };"
        "HTMLAnchorElement.prototype.click = function () {"
        " window.saved[this.download] = window.blob; };"
        "document.querySelectorAll('details button, #goals-section button').forEach("
        "b => { if (b.textContent === 'CSV') b.click(); }); true"
    )
    texts = browser.evaluate(
        "Promise.all(Object.entries(window.saved).map(([n, b]) => b.text().then(t => [n, t])))"
        ".then(Object.fromEntries)"
    )
    assert {f"{chart}.csv" for chart in CHARTS} - {"heat.csv"} <= set(texts)
    head, lora, other = csv.reader(texts["times.csv"].splitlines())
    assert head == ["method", "variant", "median_s", "low_s", "high_s", "reached", "seeds"]
    assert lora == ["LoRA", "fast", "22.5", "20", "25", "2", "2"]
    assert other == ['a "b", c', "fast", "", "", "", "0", "2"]
    quiet(browser)


def setting(path: str, value: float, unit: str, label: str) -> dict[str, Any]:
    return {"path": path, "value": value, "unit": unit, "label": label}


def test_a_sweep_is_drawn_over_its_values(shown: Callable[..., Any]) -> None:
    variants = {f"up {mbps} Mbps": 16 // mbps for mbps in (16, 4, 1)}
    swept = {
        label: [setting("network.clients.up", 16e6 / slow, "bit/s", label)]
        for label, slow in variants.items()
    }
    browser = shown(METHODS, variants, seeds=(0, 1), swept=json.dumps(swept))
    assert "network.clients.up (Mbps)" in words(browser, "sweep")
    drawn = browser.evaluate("document.getElementById('sweep').data.map(t => [t.name, t.x])")
    assert ["LoRA", [1, 4, 16]] in drawn
    log = "document.getElementById('sweep').layout"
    assert browser.evaluate(f"[{log}.xaxis.type, {log}.yaxis.type]") == ["log", "log"]
    quiet(browser)


def test_two_sweeps_are_a_map(shown: Callable[..., Any]) -> None:
    swept = {
        f"up {mbps} Mbps, rtt {ms} ms": [
            setting("network.clients.up", mbps * 1e6, "bit/s", f"up {mbps} Mbps"),
            setting("network.clients.rtt", ms / 1e3, "s", f"rtt {ms} ms"),
        ]
        for mbps in (1, 4)
        for ms in (5, 50)
    }
    browser = shown(METHODS, dict.fromkeys(swept, 2), swept=json.dumps(swept))
    assert browser.evaluate("document.querySelectorAll('#sweep .shapelayer path').length") == 4
    said = words(browser, "sweep")
    assert "4 Mbps" in said
    assert "50 ms" in said
    quiet(browser)


def test_a_run_without_sweeps_has_no_such_section(shown: Callable[..., Any]) -> None:
    assert shown(METHODS, VARIANTS).evaluate("document.getElementById('sweep-section').hidden")
