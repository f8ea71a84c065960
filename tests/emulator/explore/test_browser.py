"""The page of explore in a real Chromium: it redraws, compares, copies, and answers no other page.

Skipped where there is no Chromium.
"""

import http.server
import threading
import time

import pytest

UP = "network.clients.up"


def wait(browser, code, seconds=120):
    """Wait until an expression holds."""
    end = time.monotonic() + seconds
    while not browser.evaluate(code):
        assert time.monotonic() < end, (code, browser.evaluate("document.body.innerText")[:2000])
        time.sleep(0.05)


def at_rest(browser):
    """Wait for the drawing of the last change."""
    rest = "new Promise(done => setTimeout(() => done(!document.body.dataset.busy), 350))"
    wait(browser, rest)


def move(browser, name, step):
    code = f"(s => {{ s.value = {step}; s.dispatchEvent(new Event('input', {{bubbles: true}})) }})"
    browser.evaluate(f"{code}(document.querySelector('[data-of=\"{name}\"]'))")
    at_rest(browser)


def enter(browser, name, text):
    code = f"(i => {{ i.value = {text!r}; i.dispatchEvent(new Event('input', {{bubbles: true}}));"
    code += " i.dispatchEvent(new Event('change', {bubbles: true})) })"
    browser.evaluate(f"{code}(document.querySelector('[name=\"{name}\"]'))")
    at_rest(browser)


def shows(browser, id_):
    return str(browser.evaluate(f"document.getElementById({id_!r}).textContent"))


def value(browser, name):
    return browser.evaluate(f"document.querySelector('[name=\"{name}\"]').value")


@pytest.fixture
def page(browser, served):
    browser.open(served.url)
    wait(browser, "document.body.dataset.drawn > 0")
    at_rest(browser)
    return browser


def test_a_slider_redraws_the_results(page):
    before = shows(page, "answer")
    assert "Under these settings, head only has the lowest" in before
    move(page, UP, 620)
    assert value(page, UP) == "12.6 Mbps"
    assert shows(page, "answer") != before
    drawn = page.evaluate("document.querySelectorAll('#times .bars .point').length")
    assert drawn == 2
    enter(page, UP, "1.25 Mbps")
    assert shows(page, "answer") == before, "it is as at the start"
    assert page.complaints() == []


def test_a_wrong_text_is_shown_and_the_next_right_one_takes_it_away(page):
    enter(page, UP, "12 Mpbs")
    assert "found '12 Mpbs'; allowed: a rate with its unit" in shows(page, "problem")
    enter(page, UP, "12 Mbps")
    assert page.evaluate("document.getElementById('problem').hidden")
    assert page.complaints() == []


def test_fields_that_exclude_each_other(page):
    enter(page, f"{UP}.ratio", "0.25")
    assert value(page, UP) == ""
    enter(page, UP, "2 Mbps")
    assert value(page, f"{UP}.ratio") == ""
    enter(page, "network.clients.preset", "4g")
    assert [value(page, f"network.clients.{key}") for key in ("down", "up", "rtt")] == [""] * 3
    enter(page, "network.clients.preset", "")
    assert value(page, "network.clients.down") == "20 Mbps"
    move(page, "network.clients.cells.clients", 200)
    assert value(page, "network.clients.cells.up") == "20 Mbps"
    move(page, "network.clients.cells.clients", 0)
    assert page.evaluate("document.getElementById('problem').hidden")
    page.evaluate("document.getElementById('reset').click()")
    at_rest(page)
    assert value(page, UP) == "1.25 Mbps"
    assert page.complaints() == []


def test_comparison_and_copies(page):
    enter(page, UP, "20 Mbps")
    page.evaluate("document.getElementById('keep').click()")
    at_rest(page)
    enter(page, UP, "0.5 Mbps")
    assert "upload rate 20 Mbps" in shows(page, "table")
    page.evaluate("document.getElementById('copy-scenario').click()")
    wait(page, "document.getElementById('yaml').value.includes('up: 0.5 Mbps')")
    assert "methods:" in page.evaluate("document.getElementById('yaml').value")
    page.evaluate("document.querySelector('#kept button').click()")
    at_rest(page)
    assert "upload rate 20 Mbps" not in shows(page, "table")
    page.evaluate("document.getElementById('log').click()")
    kind = page.evaluate("document.getElementById('times').layout.xaxis.type")
    assert kind == "log"
    assert page.complaints() == []


@pytest.mark.parametrize("width", [1400, 390])
def test_the_page_fits_and_asks_only_its_server(browser, served, width):
    browser.open(served.url, width, 900)
    wait(browser, "document.body.dataset.drawn > 0")
    at_rest(browser)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.evaluate(wide) == 0, "nothing to scroll sideways"
    asked = [url for url in browser.requests() if not url.startswith("data:")]
    assert all(url.startswith(served.url) for url in asked), asked


def test_a_page_of_another_origin_gets_nothing(browser, served, tmp_path):
    """Even one that knows the whole address: neither by fetch, nor as a script, nor in a frame."""
    (tmp_path / "other.html").write_text("<!DOCTYPE html><title>other</title>")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.open(f"http://127.0.0.1:{server.server_port}/other.html")
        for options in ("{}", "{mode: 'no-cors'}", "{method: 'POST', body: '{}'}",
                        "{method: 'POST', body: '{}', mode: 'no-cors'}"):  # fmt: skip
            for path in ("", "scenario", "plotly.js"):
                fetched = f"fetch({served.url + path!r}, {options})"
                assert browser.evaluate(f"{fetched}.then(r => r.text(), () => '')") == ""
        for tag, loaded in (("script", "plotly.js"), ("iframe", "")):
            code = f"""new Promise(done => {{
              const made = document.createElement({tag!r});
              made.onload = () => done({tag!r} === "iframe" && made.contentDocument === null
                ? "blocked" : "loaded");
              made.onerror = () => done("blocked");
              made.src = {served.url + loaded!r};
              document.documentElement.append(made);
            }})"""
            assert browser.evaluate(code) == "blocked"
        assert browser.evaluate("typeof Plotly") == "undefined"
        answers = [
            event["params"]["response"]["status"]
            for event in browser.events
            if event.get("method") == "Network.responseReceived"
            and event["params"]["response"]["url"].startswith(served.url)
        ]
        assert answers
        assert set(answers) == {403}
        server.shutdown()
