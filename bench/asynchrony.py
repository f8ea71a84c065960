"""Client steps per second, asynchronous against synchronous, on the same engine.

    python bench/asynchrony.py [CLIENTS] [UPDATES]

Trains 20 Newsgroups (32 tokens) with LoRA for UPDATES (200) client updates, CLIENTS (100) at work:
in synchronous rounds of CLIENTS, and by FedBuff with a buffer of a tenth. Uploads differ tenfold,
so that updates arrive one by one. Evaluates 20 examples at the end only. Prints CPU seconds,
clients per call of the engine, and local steps per second, of this process.
"""

import sys
import time
from collections.abc import Sequence
from typing import Any

from emulator.scenario.scenario import Scenario
from emulator.simulation.simulate import simulate
from flasc.training import trainer

UP = {"kind": "lognormal", "median": "2 Mbps", "sigma": 1.0}


def scenario(policy: Any, rounds: int, cohort: int) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "bench",
            "task": {"name": "20newsgroups", "clients": 350, "tokens": 32},
            "training": {
                "rounds": rounds,
                "cohort": cohort,
                "evaluation": {"every": rounds, "examples": 20},
            },
            "methods": {"LoRA": {"kind": "lora"}},
            "network": {
                "server": {"down": "1 Gbps", "up": "1 Gbps"},
                "clients": {"down": "20 Mbps", "up": UP, "rtt": "40 ms"},
            },
            "policy": policy,
        }
    )


def measure(name: str, policy: Any, rounds: int, concurrency: int) -> None:
    study = scenario(policy, rounds, concurrency)
    live: Any = trainer.make(study.training_settings("LoRA", 0))
    calls: list[int] = []
    steps, spent_s, train = 0, 0.0, live.train

    def counted(downloads: Sequence[Any]) -> Any:
        nonlocal steps, spent_s
        began_s = time.process_time()
        uploads = train(downloads)
        spent_s += time.process_time() - began_s
        calls.append(len(uploads))
        steps += sum(upload.steps for upload in uploads)
        return uploads

    live.train = counted
    began_s = time.process_time()
    simulate(study, 0, live)
    whole_s = time.process_time() - began_s
    print(
        f"| {name} | {sum(calls)} | {sum(calls) / len(calls):.1f} | {whole_s:.1f} "
        f"| {steps / spent_s:.2f} | {steps / whole_s:.2f} |",
        flush=True,
    )


def main() -> None:
    concurrency = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    updates = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    print(
        "| policy | clients trained | per call | CPU s | steps/s in training | steps/s in total |"
    )
    print("|---|---|---|---|---|---|")
    buffer = max(1, concurrency // 10)
    measure("synchronous", "synchronous", max(1, updates // concurrency), concurrency)
    policy = {"kind": "buffered", "concurrency": concurrency, "buffer": buffer}
    measure("buffered", policy, max(1, (updates - concurrency) // buffer), concurrency)


if __name__ == "__main__":
    main()
