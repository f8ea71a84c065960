"""The flow engine: CPU time per start and per event, memory, and its worst case.

    python bench/network.py [RUNS]

All flows start at 0 over one shared link and as many access links of distinct rates, and run to
the last finish (`drain`; an event is a finish), or each restarts at once, 10,000 times in total
(`churn`; an event is a finish and a start). The worst case (`toggle`): one flow joins and leaves,
and all distinct caps of the others lie between the two shares. The general solver (`max_min_rates`
for all flows at every event) drains the same flows. Each run is a fresh process. Prints a Markdown
table.
"""

import math
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from emulator.network.fairness.engine import FlowEngine
from emulator.network.fairness.mesh import Mesh
from emulator.network.fairness.star import Star


def instance(n: int) -> tuple[list[float], list[float]]:
    """Access rates and the shared link's, bytes/s; sizes, bytes. A quarter of the demand fits."""
    rng = random.Random(n)
    access_Bps = [rng.uniform(1e5, 1e7) for _ in range(n)]
    return [*access_Bps, sum(access_Bps) / 4], [rng.uniform(1e5, 1e6) for _ in range(n)]


def drain(n: int) -> tuple[float, float]:
    capacities_Bps, sizes_B = instance(n)
    engine = FlowEngine(capacities_Bps)
    began_s = time.process_time()
    for client, size_B in enumerate(sizes_B):
        engine.start(0.0, (client, n), size_B)
    engine.next_finish()
    started_s = time.process_time()
    done = 0
    while (now_s := engine.next_finish()) < math.inf:
        done += len(engine.advance(now_s))
    assert done == n
    return (started_s - began_s) / n, (time.process_time() - started_s) / n


def churn(n: int) -> tuple[float, float]:
    """Each of n clients restarts as soon as it has finished; 10,000 finishes and starts."""
    capacities_Bps, sizes_B = instance(n)
    engine = FlowEngine(capacities_Bps)
    began_s = time.process_time()
    client_of = {engine.start(0.0, (i, n), size_B): i for i, size_B in enumerate(sizes_B)}
    started_s = time.process_time()
    done = 0
    while done < 10_000:
        now_s = engine.next_finish()
        for flow in engine.advance(now_s):
            client = client_of.pop(flow)
            client_of[engine.start(now_s, (client, n), sizes_B[client])] = client
            done += 1
    return (started_s - began_s) / n, (time.process_time() - started_s) / done


def general(n: int) -> tuple[float, float]:
    capacities_Bps, sizes_B = instance(n)
    mesh = Mesh(capacities_Bps)
    began_s = time.process_time()
    for client, size_B in enumerate(sizes_B):
        mesh.add(0.0, client, size_B, (client, n), math.inf)
    mesh.next_finish()
    started_s = time.process_time()
    while (now_s := mesh.next_finish()) < math.inf:
        mesh.finish(now_s)
    return (started_s - began_s) / n, (time.process_time() - started_s) / n


def toggle(n: int) -> tuple[float, float]:
    """Forty events of one flow that joins and leaves."""
    star = Star(0.0, 100.0 * n + 152)  # theta: over 101 for one free flow, under 100 for two
    began_s = time.process_time()
    star.add(0.0, n, 1e12, math.inf)
    for flow in range(n):
        star.add(0.0, flow, 1e12, 100 + 50 * flow / n**2)
    star.next_finish()
    started_s = time.process_time()
    for event in range(40):
        if event % 2:
            star.remove(float(event), n + event)
        else:
            star.add(float(event), n + event + 1, 1e12, math.inf)
        star.next_finish()
    return (started_s - began_s) / n, (time.process_time() - started_s) / 40


CASES = [
    ("drain", 1_000), ("drain", 10_000), ("drain", 100_000), ("churn", 1_000), ("churn", 10_000),
    ("toggle", 1_000), ("toggle", 10_000), ("general", 1_000),
]  # fmt: skip
WORK = {"drain": drain, "churn": churn, "toggle": toggle, "general": general}


def measured(name: str, n: int) -> list[float]:
    """CPU microseconds per start and per event, and peak resident MB, of a fresh process."""
    command = [sys.executable, __file__, "--one", name, str(n)]
    out = subprocess.run(command, check=True, capture_output=True)
    return [float(word) for word in out.stdout.split()]


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} | {min(values):.1f} to {max(values):.1f}"


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        name, n = sys.argv[2], int(sys.argv[3])
        start_s, event_s = WORK[name](n)
        peak_kB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(start_s * 1e6, event_s * 1e6, peak_kB / 1024)
        return
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"`python bench/network.py {runs}`: one core, CPU time, {runs} runs each, alternately\n")
    print("| case | flows | us/start | min to max | us/event | min to max | peak MB |")
    print("|---|---|---|---|---|---|---|")
    rounds = [[measured(*case) for case in CASES] for _ in range(runs)]
    for (name, n), results in zip(CASES, zip(*rounds, strict=True), strict=True):
        start_us, event_us, peak_MB = zip(*results, strict=True)
        print(f"| {name} | {n:,} | {spread(start_us)} | {spread(event_us)} | {max(peak_MB):.0f} |")


if __name__ == "__main__":
    main()
