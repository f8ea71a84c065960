"""A whole simulation without training: rounds, network, records and ledger, by both engines.

    python bench/emulation.py [TRANSFERS] [RUNS]

A fleet of 10,000 clients with distinct rates, delays and speeds; cohorts of 10, 1,000 or 10,000 of
them download 100 kB, compute and upload 25 kB, until TRANSFERS messages (default: a million) were
sent. Together, a cohort asks the server's links for 30 times what they carry. Each run is a fresh
process. Prints CPU and wall seconds, peak memory, and for the reference the share of the CPU time
per file: from a profile of a twentieth of the transfers, which assigns functions in C to their
callers and overstates frequent calls.
"""

import cProfile
import pstats
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path

from emulator.results.ledger import Ledger
from emulator.scenario.scenario import Scenario
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import Emulation
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

COHORTS = (10, 1_000, 10_000)
TRANSPORTS = ("fluid", "tcp")
ENGINES = ("reference", "compiled")
MEAN = 1.65  # of a lognormal distribution with sigma 1 and median 1
ASKED = 30  # times what the server's links carry


def scenario(engine: str, transport: str, cohort: int, transfers: int) -> Scenario:
    """A scenario with as many rounds as give `transfers` messages."""
    down = {"kind": "lognormal", "median": "20 Mbps", "sigma": 1.0}
    up = {"kind": "lognormal", "median": "5 Mbps", "sigma": 1.0}
    rtt = {"kind": "uniform", "low": "20 ms", "high": "200 ms"}
    speed = {"kind": "lognormal", "median": "10 ms", "sigma": 0.5}
    return Scenario.model_validate(
        {
            "name": "bench",
            "task": {"name": "20newsgroups", "clients": 10_000},
            "training": {
                "rounds": max(1, transfers // (2 * cohort)),
                "cohort": cohort,
                "evaluation": {"every": 10},
            },
            "methods": {"LoRA": {"kind": "lora"}},
            "network": {
                "server": {
                    "down": f"{5 * MEAN * cohort / ASKED} Mbps",
                    "up": f"{20 * MEAN * cohort / ASKED} Mbps",
                },
                "clients": {"down": down, "up": up, "rtt": rtt},
                "transport": transport,
            },
            "compute": {"per_example": speed},
            "simulation": {"engine": engine},
        }
    )


Case = tuple[str, str, int]  # engine, transport, cohort


def rows(case: Case, transfers: int) -> EventTable:
    trainer = StubTrainer(down_bytes=100_000, up_bytes=25_000)
    return simulate(scenario(*case, transfers), 0, trainer)


def timed(work: Callable[[], object]) -> tuple[float, float, object]:
    """CPU and wall seconds of `work`, and its result."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    made = work()
    return time.process_time() - cpu_s, time.perf_counter() - wall_s, made


def one(case: Case, transfers: int) -> list[float]:
    """CPU and wall seconds of the simulation and of the ledger, peak MB, MB of the ledger."""
    rows(case, 2 * case[2])  # loads, or compiles, what is compiled
    cpu_s, wall_s, made = timed(lambda: rows(case, transfers))
    assert isinstance(made, EventTable)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger"
        with Ledger.create(path, {}) as ledger:
            emulation = Emulation("LoRA", "", 0)
            ledger_cpu_s, ledger_wall_s, _ = timed(lambda: ledger.write(emulation, made))
        size_MB = path.stat().st_size / 1e6
    peak_MB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [cpu_s, wall_s, ledger_cpu_s, ledger_wall_s, peak_MB, size_MB]


def shares(case: Case, transfers: int) -> dict[str, float]:
    """Share of the CPU time of a simulation per file."""
    profile = cProfile.Profile()
    profile.runcall(rows, case, transfers)
    own_s: defaultdict[str, float] = defaultdict(float)
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]  # not in typeshed
    for (file, _, _), (_, _, in_it_s, _, callers) in stats.items():
        if file == "~":  # in C
            for (caller, _, _), (_, _, for_it_s, _) in callers.items():
                own_s[caller] += for_it_s
        else:
            own_s[file] += in_it_s
    whole_s, named = sum(own_s.values()), defaultdict[str, float](float)
    for file, in_it_s in own_s.items():
        path = Path(file)
        named["simpy" if "simpy" in path.parts else path.name] += in_it_s / whole_s
    return dict(sorted(named.items(), key=itemgetter(1), reverse=True)[:9])


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        engine, transport, cohort, transfers_text = sys.argv[2:]
        print(*one((engine, transport, int(cohort)), int(transfers_text)))
        return
    transfers = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    print(
        f"`python bench/emulation.py {transfers} {runs}`: medians of {runs}, alternately; seconds; "
        "the reference sends a tenth of the messages\n"
    )
    print(
        "| engine | transport | cohort | CPU | min | max | wall | ledger CPU | wall"
        " | µs / message | MB | file MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    cases = [(e, t, c) for t in TRANSPORTS for c in COHORTS for e in ENGINES]
    sizes = {case: transfers // (10 if case[0] == "reference" else 1) for case in cases}
    turns: dict[Case, list[list[float]]] = {case: [] for case in cases}
    for _ in range(runs):
        for case, results in turns.items():
            command = [sys.executable, __file__, "--one", *map(str, case), str(sizes[case])]
            out = subprocess.run(command, check=True, capture_output=True)
            results.append([float(word) for word in out.stdout.split()])
    for case, results in turns.items():
        columns = list(zip(*results, strict=True))
        cpu_s, wall_s, ledger_cpu_s, ledger_wall_s, peak_MB, size_MB = map(
            statistics.median, columns
        )
        print(
            f"| {' | '.join(map(str, case))} | {cpu_s:.1f} | {min(columns[0]):.1f}"
            f" | {max(columns[0]):.1f} | {wall_s:.1f} | {ledger_cpu_s:.1f} | {ledger_wall_s:.1f}"
            f" | {(cpu_s + ledger_cpu_s) / sizes[case] * 1e6:.1f} | {peak_MB:.0f} | {size_MB:.0f} |"
        )
    for transport in TRANSPORTS:
        parts = shares(("reference", transport, 1_000), transfers // 20)
        print(f"\n{transport}: " + ", ".join(f"{n} {share:.0%}" for n, share in parts.items()))


if __name__ == "__main__":
    main()
