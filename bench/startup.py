"""CPU seconds of commands that train nothing: whole processes, median and spread.

    python bench/startup.py [RUNS]

Prints a Markdown table, with `python -c pass` for the share of the interpreter. The phases of the
replay: bench/replay_phases.py. Without files of bytecode (PYTHONDONTWRITEBYTECODE) all take longer.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

NETWORK = ["--network", "scenarios/networks/leo.yaml"]
OUT = str(Path(tempfile.gettempdir()) / "flasc-emu-bench")
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "flasc-emu --help": ["-m", "emulator", "--help"],
    "flasc-emu check scenarios/slow_upload.yaml": [
        "-m", "emulator", "check", "scenarios/slow_upload.yaml",
    ],
    "flasc-emu list": ["-m", "emulator", "list"],
    "flasc-emu run recordings/slow_upload.json.gz --network scenarios/networks/leo.yaml": [
        "-m", "emulator", "run", "recordings/slow_upload.json.gz", *NETWORK,
        "--out", OUT, "--progress", "none",
    ],
    "flasc-emu report (of that run)": ["-m", "emulator", "report", OUT],
}  # fmt: skip


def cpu_s(arguments: Sequence[str]) -> float:
    """User and system seconds of one finished process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    # Alternately, so that a slow phase of the machine affects all; the first pass warms caches.
    turns = [{name: cpu_s(args) for name, args in COMMANDS.items()} for _ in range(runs + 1)][1:]
    print(f"CPU seconds, {runs} runs each, alternately\n")
    print("| command | median | min | max |\n|---|---|---|---|")
    for name in COMMANDS:
        times = [turn[name] for turn in turns]
        low, high = min(times), max(times)
        print(f"| `{name}` | {statistics.median(times):.3f} | {low:.3f} | {high:.3f} |")


if __name__ == "__main__":
    main()
