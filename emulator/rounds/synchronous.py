"""Synchronous rounds: the server waits for the whole cohort (McMahan et al. 2017).

A policy is a SimPy process. It asks the trainer for messages, lets the network carry them and
notes what happened; it decides who takes part, and nothing about learning.
"""

from collections.abc import Callable, Generator
from typing import Any

import simpy

from emulator.fleet import Fleet, stream
from emulator.network.transfer import Network
from emulator.records import Computation, Evaluation, Round, Row, Transfer
from emulator.scenario import Training
from emulator.seam import Download, Trainer, Upload

Process = Generator[simpy.Event, Any, None]


def synchronous(
    env: simpy.Environment,
    trainer: Trainer,
    network: Network,
    fleet: Fleet,
    training: Training,
    seed: int,
    charge: Callable[[Download | Upload], int],
    record: Callable[[Row], None],
) -> Process:
    """Rounds until the last one, or until enough evaluations lie past the target.

    Each round: a uniform cohort without replacement downloads, computes and uploads, each client
    on its own; the last upload ends the round. `charge` gives the bytes that a message costs.
    """
    past_target = 0
    for number in range(1, training.rounds + 1):
        start_s = env.now
        cohort = stream(seed, "cohort", number).choice(len(fleet), training.cohort, replace=False)
        downloads = [trainer.download(int(client)) for client in cohort]
        uploads = trainer.train(downloads)
        yield env.all_of(
            [
                env.process(_client(env, network, fleet, number, down, up, charge, record))
                for down, up in zip(downloads, uploads, strict=True)
            ]
        )
        trainer.aggregate(uploads, [1 / len(uploads)] * len(uploads))
        record(Round(number, len(uploads), start_s, env.now))

        last = number == training.rounds
        if last or number % training.evaluation.every == 0:
            accuracy = _evaluate(env, trainer, "validation", number, record)
            target = training.target
            if target and (past_target or accuracy >= target.accuracy):
                past_target += 1
                last |= target.stop_after != "never" and past_target > target.stop_after
        if last:
            break
    if training.evaluation.test:
        _evaluate(env, trainer, "test", number, record)


def _client(
    env: simpy.Environment,
    network: Network,
    fleet: Fleet,
    number: int,
    download: Download,
    upload: Upload,
    charge: Callable[[Download | Upload], int],
    record: Callable[[Row], None],
) -> Process:
    """One client's round: download, compute, upload, one after the other."""
    client = download.client
    nbytes = charge(download)
    got = yield network.download(client, nbytes)
    record(Transfer(number, client, "down", nbytes, got.start_s, got.finish_s))

    yield env.timeout(upload.examples * float(fleet.seconds_per_example[client]))
    record(Computation(number, client, upload.examples, upload.steps, got.finish_s, env.now))

    nbytes = charge(upload)
    sent = yield network.upload(client, nbytes)
    record(Transfer(number, client, "up", nbytes, sent.start_s, sent.finish_s))


def _evaluate(
    env: simpy.Environment,
    trainer: Trainer,
    split: str,
    number: int,
    record: Callable[[Row], None],
) -> float:
    score = trainer.evaluate(split)
    record(Evaluation(number, env.now, split, score.examples, score.accuracy, score.loss))
    return score.accuracy
