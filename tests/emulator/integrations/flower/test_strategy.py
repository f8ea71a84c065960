"""The recorder around a strategy of Flower's legacy API, with clients that need no network."""

import pytest

pytest.importorskip("flwr", reason="pip install 'flasc-emu[flower]'")

import numpy as np
from flwr.common import Code, EvaluateRes, FitRes, Status, ndarrays_to_parameters
from flwr.server.client_manager import SimpleClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.strategy import FedAvg

from emulator.integrations.flower import StrategyRecorder
from emulator.integrations.message_log import read

FINE = Status(Code.OK, "")
MODEL = ndarrays_to_parameters([np.zeros(100, np.float32), np.zeros(10, np.float32)])
UPDATE = ndarrays_to_parameters([np.zeros(50, np.float32), np.zeros(10, np.float32)])


class Node(ClientProxy):
    def get_properties(self, *args): ...
    def get_parameters(self, *args): ...
    def fit(self, *args): ...
    def evaluate(self, *args): ...
    def reconnect(self, *args): ...


@pytest.fixture
def manager():
    found = SimpleClientManager()
    for cid in "abc":
        found.register(Node(cid))
    return found


def played(strategy, manager, rounds=2):
    """The calls of Flower's server; the last client of each round fails."""
    strategy.evaluate(0, MODEL)
    for number in range(1, rounds + 1):
        asked = strategy.configure_fit(number, MODEL, manager)
        metrics = {"took": 1.5, "seen": 30}
        answers = [(proxy, FitRes(FINE, UPDATE, 10, metrics)) for proxy, _ in asked[:-1]]
        assert strategy.aggregate_fit(number, answers, [RuntimeError("gone")])[0] is not None
        strategy.evaluate(number, MODEL)
        asked = strategy.configure_evaluate(number, MODEL, manager)
        scores = [(proxy, EvaluateRes(FINE, 2.5, 10, {"accuracy": 0.5})) for proxy, _ in asked]
        strategy.aggregate_evaluate(number, scores, [])


def bytes_of(parameters):
    return sum(len(each) for each in parameters.tensors)


def fedavg(**more):
    return FedAvg(
        min_fit_clients=3,
        min_available_clients=3,
        evaluate_metrics_aggregation_fn=lambda found: {"accuracy": found[0][1]["accuracy"]},
        **more,
    )


def test_a_wrapped_strategy_records_a_training(manager, tmp_path):
    configured = fedavg(on_fit_config_fn=lambda number: {"lr": 0.1, "name": ""})
    strategy = StrategyRecorder(
        configured, tmp_path / "log.jsonl", method="FedAvg", seconds_key="took", examples_key="seen"
    )
    played(strategy, manager)
    log = read(tmp_path / "log.jsonl")
    assert sorted((v.round, v.client) for v in log.visits) == [
        (n, c) for n in (1, 2) for c in "abc"
    ]
    assert [sum(v.failed for v in log.visits if v.round == n) for n in (1, 2)] == [1, 1]
    answered = [v for v in log.visits if not v.failed]
    assert {v.bytes_down for v in log.visits} == {bytes_of(MODEL) + len("lr") + 8 + len("name")}
    assert {v.bytes_up for v in answered} == {bytes_of(UPDATE) + len("took") + len("seen") + 16}
    assert {(v.seconds, v.examples) for v in answered} == {(1.5, 30)}
    assert len(log.untimed) == 6
    assert {u.bytes_down for u in log.untimed} == {bytes_of(MODEL)}
    assert [(s.round, s.value, s.loss) for s in log.scores] == [(1, 0.5, 2.5), (2, 0.5, 2.5)]
    assert strategy.min_fit_clients == 3
    strategy.close()


def test_the_score_of_the_server_counts_before_that_of_the_clients(manager, tmp_path):
    scored = fedavg(evaluate_fn=lambda number, arrays, config: (1.0, {"accuracy": number / 10}))
    played(StrategyRecorder(scored, tmp_path / "log.jsonl"), manager)
    found = [(s.round, s.value) for s in read(tmp_path / "log.jsonl").scores]
    assert found == [(0, 0), (1, 0.1), (2, 0.2)]


def test_the_loss_itself_is_the_score(manager, tmp_path):
    losses = {0: 3.0, 1: float("inf"), 2: 1.5}
    scored = fedavg(evaluate_fn=lambda number, arrays, config: (losses[number], {}))
    header = {"metric": "loss", "direction": "lower", "seed": 3}
    played(StrategyRecorder(scored, tmp_path / "log.jsonl", **header), manager)
    log = read(tmp_path / "log.jsonl")
    assert (log.header.metric, log.header.direction, log.header.seed) == ("loss", "lower", 3)
    # Round 1 has the loss of the clients, as that of the server is not finite.
    assert [(s.round, s.value) for s in log.scores] == [(0, 3.0), (1, 2.5), (2, 1.5)]
