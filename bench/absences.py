"""A simulation with clients that leave and return, by both engines in one process.

    python bench/absences.py [ROUNDS]

100 of 1,000 clients per round over TCP. Clients are present for 10 min and absent for 5 min
(medians), or for 5 s and 2 s. Prints CPU seconds.
"""

import sys
import time
from typing import Any

from emulator.scenario.scenario import Scenario
from emulator.simulation.event_table import EventTable
from emulator.simulation.records import Absence, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

LONG, SHORT = ("10 min", "5 min"), ("5 s", "2 s")
CASES: dict[str, tuple[tuple[str, str], Any]] = {
    "synchronous, 10 min": (LONG, "synchronous"),
    "synchronous, 5 s": (SHORT, "synchronous"),
    "overselection, 5 s": (SHORT, {"kind": "overselection", "select": 130}),
}


def lognormal(median: str, sigma: float) -> dict[str, Any]:
    return {"kind": "lognormal", "median": median, "sigma": sigma}


def scenario(engine: str, rounds: int, lengths: tuple[str, str], policy: Any) -> Scenario:
    on, off = lengths
    clients = {
        "down": lognormal("20 Mbps", 1.0),
        "up": lognormal("5 Mbps", 1.0),
        "rtt": {"kind": "uniform", "low": "20 ms", "high": "200 ms"},
        "availability": {"kind": "on_off", "on": lognormal(on, 1.0), "off": lognormal(off, 1.0)},
    }
    server = {"down": "28 Mbps", "up": "110 Mbps"}
    return Scenario.model_validate(
        {
            "name": "bench",
            "task": {"name": "20newsgroups", "clients": 1_000},
            "training": {"rounds": rounds, "cohort": 100, "evaluation": {"every": 10}},
            "methods": {"LoRA": {"kind": "lora"}},
            "network": {"server": server, "clients": clients, "transport": "tcp"},
            "policy": policy,
            "compute": {"per_example": lognormal("10 ms", 0.5)},
            "simulation": {"engine": engine},
        }
    )


def once(*case: Any) -> tuple[float, EventTable]:
    """CPU seconds and rows of a simulation."""
    trainer, settings = StubTrainer(down_bytes=100_000, up_bytes=25_000), scenario(*case)
    begun_s = time.process_time()
    rows = simulate(settings, 0, trainer)
    return time.process_time() - begun_s, rows


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    once("compiled", 1, *CASES["synchronous, 10 min"])  # loads, or compiles, what is compiled
    for name, case in CASES.items():
        compiled_s, rows = once("compiled", rounds, *case)
        reference_s, _ = once("reference", rounds, *case)
        counts = [len(rows.columns(kind)) for kind in (Transfer, Absence)]
        print(
            f"{name}: {counts[0]:,} transfers, {counts[1]:,} absences; "
            f"compiled {compiled_s:.2f} s, reference {reference_s:.2f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
