"""Compares the accuracy of bf16 and fp32 on the default scenario's task over several seeds.

    python bench/precision.py [--seeds 5] [--rounds 24] [--device cpu|cuda]

Trains the LoRA method of scenarios/paper/figure3.yaml (MiniLM, 20 Newsgroups at 32 tokens, 350
clients, ten per round). Both precisions of a seed have the same clients, data and draws, so only
rounding differs. Prints a Markdown table of the final validation accuracies, their mean and sample
standard deviation, and the mean difference of a seed's two runs with its standard error. On a CPU
without AMX bf16 takes nearly twice as long: 5 seeds of 24 rounds in both take 20 minutes there.
"""

import math
import statistics
from pathlib import Path

import click
import torch

from emulator.common.rng import stream
from emulator.runner import inputs
from flasc.training.shared_models import SharedModels
from flasc.training.trainer import make

SCENARIO = Path(__file__).parent.parent / "scenarios/paper/figure3.yaml"
PRECISIONS = ("fp32", "bf16")


def accuracy(seed: int, precision: str, rounds: int, device: str, shared: SharedModels) -> float:
    """Final accuracy of one training; its cohorts depend only on the seed."""
    scenario = inputs.read(SCENARIO).scenario
    settings = scenario.training_settings("LoRA", seed)
    trainer = make(
        settings.model_copy(update={"precision": precision}), device=device, shared=shared
    )
    for number in range(1, rounds + 1):
        clients, cohort = len(trainer.task.clients), scenario.training.cohort
        drawn = stream(seed, "cohort", number).choice(clients, cohort, replace=False)
        uploads = trainer.train([trainer.download(int(client)) for client in drawn])
        trainer.aggregate(uploads, [1 / len(uploads)] * len(uploads))
    return trainer.evaluate("validation").accuracy


@click.command()
@click.option("--seeds", default=5)
@click.option("--rounds", default=24)
@click.option("--device", default="cpu")
def main(seeds: int, rounds: int, device: str) -> None:
    """Compare precisions over seeds."""
    torch.set_num_threads(1)
    shared = SharedModels()
    found: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    print(f"| seed, {rounds} rounds | " + " | ".join(PRECISIONS) + " |")
    print("| --- | --- | --- |")
    for seed in range(seeds):
        for precision, values in found.items():
            values.append(accuracy(seed, precision, rounds, device, shared))
        print(
            f"| {seed} | " + " | ".join(f"{v[-1]:.3f}" for v in found.values()) + " |", flush=True
        )
    if seeds < 2:
        return
    spreads = (f"{statistics.mean(v):.3f} ± {statistics.stdev(v):.3f}" for v in found.values())
    print("| mean ± standard deviation | " + " | ".join(spreads) + " |")
    differences = [b - a for a, b in zip(*found.values(), strict=True)]
    error = statistics.stdev(differences) / math.sqrt(seeds)
    print(f"\nbf16 - fp32: {statistics.mean(differences):+.4f}, standard error {error:.4f}")


if __name__ == "__main__":
    main()
