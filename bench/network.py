"""The fluid engine: completions a second, CPU time and memory, and its worst case.

    python bench/network.py [RUNS]

All flows start at 0 over one shared link and as many access links of distinct rates, and run to
the last finish; starting them counts. The worst case (`toggle`): one flow comes and goes, and all
distinct caps of the others lie between the two shares. The general solver (`max_min_rates` for
all flows at every event) drains the same flows. Each run is a fresh process. Prints a Markdown
table.
"""

import math
import random
import resource
import statistics
import subprocess
import sys
import time

import numpy as np

from emulator.network.fluid import Fluid
from emulator.network.mesh import Mesh
from emulator.network.star import Star


def instance(n: int) -> tuple[list[float], list[float]]:
    """Access rates and the shared link's, bytes/s; sizes, bytes. A quarter of the demand fits."""
    rng = random.Random(n)
    access_Bps = [rng.uniform(1e5, 1e7) for _ in range(n)]
    return [*access_Bps, sum(access_Bps) / 4], [rng.uniform(1e5, 1e6) for _ in range(n)]


def drain(n: int) -> tuple[float, int]:
    began_s = time.process_time()
    capacities_Bps, sizes_B = instance(n)
    fluid = Fluid(capacities_Bps)
    for client, size_B in enumerate(sizes_B):
        fluid.start(0.0, (client, n), size_B)
    done = 0
    while (now_s := fluid.next_finish()) < math.inf:
        done += len(fluid.advance(now_s))
    assert done == n
    return time.process_time() - began_s, n


def general(n: int) -> tuple[float, int]:
    began_s = time.process_time()
    capacities_Bps, sizes_B = instance(n)
    mesh = Mesh(np.array(capacities_Bps))
    for client, size_B in enumerate(sizes_B):
        mesh.add(0.0, client, size_B, (client, n), math.inf)
    while (now_s := mesh.next_finish()) < math.inf:
        mesh.finish(now_s)
    return time.process_time() - began_s, n


def toggle(n: int) -> tuple[float, int]:
    """Forty events of one flow that comes and goes; what comes before them does not count."""
    star = Star(0.0, 100.0 * n + 152)  # theta: over 101 for one free flow, under 100 for two
    star.add(0.0, n, 1e12, math.inf)
    for flow in range(n):
        star.add(0.0, flow, 1e12, 100 + 50 * flow / n**2)
    star.next_finish()
    began_s = time.process_time()
    for event in range(40):
        if event % 2:
            star.remove(float(event), n + event)
        else:
            star.add(float(event), n + event + 1, 1e12, math.inf)
        star.next_finish()
    return time.process_time() - began_s, 40


CASES = [
    ("drain", 1_000), ("drain", 10_000), ("drain", 100_000),
    ("toggle", 1_000), ("toggle", 10_000), ("general", 1_000),
]  # fmt: skip
WORK = {"drain": drain, "toggle": toggle, "general": general}


def measured(name: str, n: int) -> tuple[float, float]:
    """CPU microseconds per event and peak resident MB of a fresh process."""
    out = subprocess.run(
        [sys.executable, __file__, "--one", name, str(n)], check=True, capture_output=True
    )
    us, mb = out.stdout.decode().split()
    return float(us), float(mb)


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        name, n = sys.argv[2], int(sys.argv[3])
        took_s, events = WORK[name](n)
        peak_kB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(took_s / events * 1e6, peak_kB / 1024)
        return
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"`python bench/network.py {runs}`: one core, CPU time, {runs} runs each, in turn\n")
    print("| case | flows | us/event | min | max | events/s | in all, s | peak MB |")
    print("|---|---|---|---|---|---|---|---|")
    turns = [[measured(*case) for case in CASES] for _ in range(runs)]
    for (name, n), results in zip(CASES, zip(*turns, strict=True), strict=True):
        us, mb = zip(*results, strict=True)
        median = statistics.median(us)
        events = 40 if name == "toggle" else n
        print(
            f"| {name} | {n:,} | {median:.1f} | {min(us):.1f} | {max(us):.1f} | {1e6 / median:,.0f}"
            f" | {median * events / 1e6:.2f} | {max(mb):.0f} |"
        )


if __name__ == "__main__":
    main()
