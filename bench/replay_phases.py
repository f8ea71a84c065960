"""CPU seconds of `flasc-emu run RECORDING --network FILE`, by phase: one process each, medians.

    python bench/replay_phases.py [RUNS] [RECORDING NETWORK]

Each phase excludes the phases inside it. An import counts under the package that the program asked
for: `import matplotlib` includes what matplotlib itself imports.
"""

import builtins
import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

OWN = ("emulator", "flasc")
START, REST = "interpreter", "everything else"
# Where a phase begins: module, name in it, phase.
CALLS = (
    ("emulator.runner.inputs", "read", "reading the scenario"),
    ("emulator.runner.recording.archive", "read", "recording: file"),
    ("emulator.runner.recording.archive", "_unpack", "recording: unpacking"),
    ("emulator.runner.recording.store", "Recording.__init__", "recording: entries"),
    ("emulator.runner.training_job", "simulate", "simulation"),
    ("emulator.results.ledger", "Ledger.create", "ledger: writing"),
    ("emulator.results.ledger", "Ledger.write", "ledger: writing"),
    ("emulator.results.ledger", "Ledger.open", "ledger: reading"),
    ("emulator.results.ledger", "Ledger.rows", "ledger: reading"),
    ("emulator.results.metrics", "outcome", "metrics"),
    ("emulator.cli.run", "_result_lines", "metrics"),
    ("emulator.reports.run_report", "load", "metrics"),
    ("emulator.reports.write", "load", "metrics"),
    ("emulator.reports.plot_style", "svg_and_png", "figure"),
    ("emulator.reports.page.page", "html", "page"),
    ("emulator.reports.terminal", "table", "table"),
)


class Phases:
    """CPU seconds by phase; the innermost phase that runs gets the time."""

    def __init__(self) -> None:
        self.spent_s: defaultdict[str, float] = defaultdict(float, {START: time.process_time()})
        self._running = [REST]
        self._since_s = time.process_time()

    @contextlib.contextmanager
    def of(self, phase: str) -> Iterator[None]:
        self._switch()
        self._running.append(phase)
        try:
            yield
        finally:
            self._switch()
            self._running.pop()

    def _switch(self) -> None:
        now_s = time.process_time()
        self.spent_s[self._running[-1]] += now_s - self._since_s
        self._since_s = now_s

    def imports(self, name: str) -> str:
        """The phase of an import: that of the package outside, if it is not our own."""
        now, own = self._running[-1], f"import {' and '.join(OWN)}"
        if now.startswith("import ") and now != own:
            return now
        package = name.partition(".")[0]
        standard = package in sys.stdlib_module_names or not package
        return own if package in OWN or standard else f"import {package}"


def timed(phases: Phases, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with phases.of(phase):
            return function(*args, **kwargs)

    return call


def watch(phases: Phases) -> None:
    """Time imports, and each function of CALLS once its module is there."""
    original = builtins.__import__
    pending = set(CALLS)

    def timed_import(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        if name in sys.modules and not fromlist:
            return original(name, globals, locals, fromlist, level)
        with phases.of(phases.imports("" if level else name)):
            found = original(name, globals, locals, fromlist, level)
        for call in [c for c in pending if c[0] in sys.modules]:
            *owner, last = call[1].split(".")
            with contextlib.suppress(AttributeError):  # it is being imported
                place = functools.reduce(getattr, owner, sys.modules[call[0]])
                setattr(place, last, timed(phases, call[2], getattr(place, last)))
                pending.discard(call)
        return found

    builtins.__import__ = timed_import


def one(arguments: Sequence[str]) -> None:
    """Run a command in this process; print its phases as JSON on stderr."""
    phases = Phases()
    watch(phases)
    main = import_module("emulator.cli").main
    main(list(arguments), prog_name="flasc-emu", standalone_mode=False)
    with phases.of(REST):
        pass
    print(json.dumps(phases.spent_s), file=sys.stderr)


def cpu_s(arguments: Sequence[str]) -> dict[str, float]:
    """The phases of one command in a fresh process, and its whole time."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, __file__, "--one", *arguments], check=True, capture_output=True, text=True
    )
    after = os.times()
    spent_s: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    whole_s = after.children_user + after.children_system
    whole_s -= before.children_user + before.children_system
    return spent_s | {"whole process": whole_s}


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    recording, network = sys.argv[2:] or (
        "recordings/slow_upload.json.gz", "scenarios/networks/leo.yaml"
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        command = ["run", recording, "--network", network, "--out", out]
        found = [cpu_s(command) for _ in range(runs + 1)][1:]  # the first pass warms caches
    print(f"`flasc-emu run {recording} --network {network}`, CPU seconds, {runs} runs\n")
    print("| phase | median | min | max |\n|---|---|---|---|")
    for phase in sorted(found[0], key=lambda p: -statistics.median(f.get(p, 0) for f in found)):
        times = [each.get(phase, 0.0) for each in found]
        low, high = min(times), max(times)
        print(f"| {phase} | {statistics.median(times):.3f} | {low:.3f} | {high:.3f} |")


if __name__ == "__main__":
    one(sys.argv[2:]) if sys.argv[1:2] == ["--one"] else main()
