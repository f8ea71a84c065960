"""Seconds until `flasc-emu explore` shows the results of a moved slider, and random moves.

    python bench/explore.py [RECORDING] [--moves 1000] [--only http|chromium]

The upload rate moves from 20 to 1.25 Mbps in 20 steps; a redraw has all methods of one seed. Then
random fields take random values: the number of moves, and of those that ended with an error. First
over HTTP, then in Chromium where there is one. Times are wall seconds: name the machine's load.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import runpy
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent
UP = "network.clients.up"
STEPS = 20
RATES = [f"{20 * (1.25 / 20) ** (step / STEPS):.4g} Mbps" for step in range(1, STEPS + 1)]
VALUES = {
    "network.clients.down": ["100 kbps", "2 Mbps", "20 Mbps", "1 Gbps"],
    UP: ["50 kbps", "0.5 Mbps", "2.5 Mbps", "100 Mbps"],
    "network.clients.up.ratio": ["", "", "0.05", "0.25", "1"],
    "network.clients.rtt": ["0", "5 ms", "200 ms", "2 s"],
    "network.clients.loss": ["0", "0.1 %", "1 %", "5 %"],
    "network.clients.cells.clients": ["0", "2", "10"],
    "network.server.down": ["10 Mbps", "100 Mbps", "1 Gbps"],
    "network.server.up": ["10 Mbps", "100 Mbps", "1 Gbps"],
    "training.target.accuracy": ["0.3", "0.45", "0.5", "0.9"],
}
WARM = ("41 ms", "42 ms", "43 ms", "40 ms")  # while the compiled network is loaded
CELLS = {"network.clients.cells.down": "50 Mbps", "network.clients.cells.up": "20 Mbps"}


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its children so far; 0 without /proc."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            own, rest = path.read_text().split(" ", 1)
            fields = rest.rpartition(")")[2].split()
            if pid in (int(own), int(fields[1])):
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def server(recording: str) -> Iterator[tuple[str, int]]:
    """The address of a running server, and its process."""
    command = [sys.executable, "-m", "emulator", "explore", recording]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.send_signal(signal.SIGINT)


def draw(url: str, texts: dict[str, str]) -> dict[str, Any]:
    """The first view of a drawing; the rest is given up, as the page does."""
    parts = urlsplit(url)
    with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, 300)) as link:
        content = json.dumps({"start": "as fast", "texts": texts})
        link.request("POST", f"{parts.path}draw", content)
        return json.loads(link.getresponse().readline())


def http_redraws(url: str, pid: int) -> tuple[list[float], float]:
    """Seconds of each redraw over HTTP, and CPU seconds of one; parts of the next seed count."""
    for rtt in WARM:
        draw(url, {"network.clients.rtt": rtt})
        time.sleep(3)
    times, before_s = [], cpu_s(pid)
    for rate in RATES:
        began = time.perf_counter()
        view = draw(url, {UP: rate})
        times.append(time.perf_counter() - began)
        assert len(view["table"]["rows"]) == 7, view
    return times, (cpu_s(pid) - before_s) / len(RATES)


def http_moves(url: str, moves: int, rng: random.Random) -> list[Any]:
    """What went wrong in so many random moves over HTTP."""
    texts: dict[str, str] = dict(CELLS)
    wrong = []
    for _ in range(moves):
        name = rng.choice(list(VALUES))
        texts[name] = rng.choice(VALUES[name])
        view = draw(url, texts)
        if "problem" in view or view["notes"] or len(view["table"]["rows"]) != 7:
            wrong.append((dict(texts), view.get("problem") or view["notes"]))
    return wrong


MOVE = """(async (name, value) => {
  const input = document.querySelector(`[name="${name}"]`), before = document.body.dataset.drawn;
  const began = performance.now();
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  while (document.body.dataset.drawn === before) await new Promise(requestAnimationFrame);
  return performance.now() - began;
})"""
RANDOM = """(async (values, moves) => {
  const names = Object.keys(values), of = list => list[Math.floor(Math.random() * list.length)];
  for (let k = 0; k < moves; k++) {
    const name = of(names), input = document.querySelector(`[name="${name}"]`);
    const slider = document.querySelector(`[data-of="${name}"]`);
    if (slider && Math.random() < .5) {
      slider.value = 300 + Math.floor(Math.random() * 700);
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    } else {
      input.value = of(values[name]);
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
    await new Promise(done => setTimeout(done, 20));
  }
  const rest = () => document.body.dataset.busy;
  do await new Promise(done => setTimeout(done, 400)); while (rest());
  return document.getElementById("problem").hidden ? ""
    : document.getElementById("problem").textContent;
})"""


def chromium(url: str, moves: int) -> Iterator[str]:
    """Lines about redraws and random moves in Chromium."""
    module = runpy.run_path(str(ROOT / "tests/emulator/reports/browser.py"))
    if not module["FOUND"]:
        yield "Chromium: skipped, there is none on PATH"
        return
    browser = module["Browser"](Path(tempfile.mkdtemp()))
    try:
        browser.open(url)
        while not browser.evaluate("document.body.dataset.drawn > 0"):
            time.sleep(0.1)
        for rtt in WARM:
            browser.evaluate(f"{MOVE}('network.clients.rtt', {rtt!r})")
            time.sleep(3)
        times = []
        for rate in RATES:
            times.append(browser.evaluate(f"{MOVE}({UP!r}, {rate!r})") / 1e3)
        yield line("Chromium", times)
        problem = browser.evaluate(f"{RANDOM}({json.dumps(VALUES)}, {moves})")
        found = [*browser.complaints(), *([problem] if problem else [])]
        drawn = browser.evaluate("document.body.dataset.drawn")
        yield f"Chromium: {moves} random moves, {len(found)} errors, {drawn} views drawn"
        yield from found[:5]
    finally:
        browser.close()


def line(name: str, times: list[float]) -> str:
    """Median and range of redraws."""
    low, middle, high = min(times), statistics.median(times), max(times)
    load = os.getloadavg()[0]
    return (
        f"{name}: median of {len(times)} redraws {middle:.2f} s ({low:.2f} to {high:.2f}), "
        f"load {load:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recording", nargs="?", default="recordings/figure3.json.gz")
    parser.add_argument("--moves", type=int, default=1000)
    parser.add_argument("--only", choices=["http", "chromium"])
    given = parser.parse_args()
    with server(given.recording) as (url, pid):
        if given.only != "chromium":
            times, spent_s = http_redraws(url, pid)
            print(f"{line('HTTP', times)}; {spent_s:.2f} CPU s each", flush=True)
            wrong = http_moves(url, given.moves, random.Random(0))
            print(f"HTTP: {given.moves} random moves, {len(wrong)} errors", flush=True)
            for each in wrong[:5]:
                print(each)
        if given.only != "http":
            for text in chromium(url, given.moves):
                print(text, flush=True)


if __name__ == "__main__":
    main()
