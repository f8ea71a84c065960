"""The same scenario on both engines, alternately: wall seconds, and whether ledgers are the same.

    python bench/engines.py [--scenario FILE] [--turns N] [--workers N] [--engine ARGS] [RUN ARGS]

Runs `flasc-emu run FILE RUN ARGS` with N (2) workers, locally and on Ray, in alternating order for
N (5) turns; each run trains everything again. Prints a Markdown table with median and spread, the
median ratio per turn, and the ledger's SHA-256. RUN ARGS apply to both engines: to join a cluster,
use `--engine "--address HOST:PORT"`.
"""

import argparse
import hashlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path


def once(arguments: Sequence[str], engine: Sequence[str]) -> tuple[float, str]:
    """Wall seconds of one run without recordings, and the SHA-256 of its ledger file."""
    with tempfile.TemporaryDirectory() as folder:
        places = ["--out", f"{folder}/out", "--recordings", f"{folder}/recordings"]
        command = [sys.executable, "-m", "emulator", "run", *arguments, *places, *engine]
        since_s = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wall_s = time.monotonic() - since_s
        if done.returncode:
            sys.exit(done.stderr)
        content = (Path(folder) / "out/ledger.sqlite").read_bytes()
        return wall_s, hashlib.sha256(content).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", default="scenarios/smoke.yaml")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", default="", help="further arguments for Ray, as one word")
    asked, rest = parser.parse_known_args()
    shared = [asked.scenario, "--workers", str(asked.workers), *rest]
    engines = {"local": ["--engine", "local"], "ray": ["--engine", "ray"]}
    engines["ray"] += shlex.split(asked.engine)
    wall_s: dict[str, list[float]] = {name: [] for name in engines}
    ledgers: dict[str, set[str]] = {name: set() for name in engines}
    for turn in range(asked.turns):
        # Each is first in half of the turns: a slow phase of the machine affects both.
        for name in sorted(engines, reverse=bool(turn % 2)):
            found_s, content = once(shared, engines[name])
            wall_s[name].append(found_s)
            ledgers[name].add(content)
            print(f"turn {turn + 1}, {name}: {found_s:.1f} s", file=sys.stderr, flush=True)
    print(f"`flasc-emu run {shlex.join(shared)}`, wall seconds, {asked.turns} runs each\n")
    print("| engine | median | min | max | SHA-256 of the ledger |\n|---|---|---|---|---|")
    for name, times in wall_s.items():
        said = ", ".join(sorted(content[:16] for content in ledgers[name]))
        print(
            f"| {name} | {statistics.median(times):.1f} | {min(times):.1f} | {max(times):.1f} "
            f"| {said} |"
        )
    ratio = statistics.median(
        ours / base for base, ours in zip(wall_s["local"], wall_s["ray"], strict=True)
    )
    print(f"\nray / local, median of the turns: {ratio:.3f}")
    same = len(ledgers["local"] | ledgers["ray"]) == 1
    print(f"ledgers: {'the same to the byte' if same else 'NOT the same'}")
    if not same:
        sys.exit(1)


if __name__ == "__main__":
    main()
