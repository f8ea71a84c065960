"""The recorder between strategies of Flower and a Grid without a network."""

import math
from functools import partial

import pytest

pytest.importorskip("flwr", reason="pip install 'flasc-emu[flower]'")

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg
from flwr.supercore.task_identity import TaskIdentity

from emulator.common.errors import MessageLogError
from emulator.integrations.flower import Recorder, timed
from emulator.integrations.flower.contents import config_bytes
from emulator.integrations.message_log import read

NODES = (2**63 + 1, 5, 77)
MODEL = np.arange(100, dtype=np.float32)


def node_config(node):
    return {"partition-id": NODES.index(node)}


def app(message, context):
    """Trains nothing: the arrays come back."""
    metrics = MetricRecord({"num-examples": 10, "accuracy": 0.5})
    content = {"metrics": metrics}
    if message.metadata.message_type == "train":
        content["arrays"] = message.content["arrays"]
    return Message(RecordDict(content), reply_to=message)


class Nodes(Grid):
    """Answers each message at once. `broken` nodes send an error, `silent` ones nothing."""

    def __init__(self, broken=(), silent=(), mods=()):
        self.broken, self.silent, self.mods = broken, silent, mods
        self.answers = {}

    def set_run(self, run):
        self.given = run

    @property
    def run(self):
        return "the run"

    def create_message(self, *args, **kwargs):
        return args, kwargs

    def get_node_ids(self):
        return list(NODES)

    def push_messages(self, messages):
        for number, message in enumerate(messages, len(self.answers)):
            message.metadata.__dict__["_message_id"] = f"message {number}"
            self.answers[f"message {number}"] = self.answer(message)
            yield f"message {number}"

    def pull_messages(self, message_ids):
        found = [self.answers.pop(each, None) for each in message_ids]
        return (each for each in found if each is not None)

    def send_and_receive(self, messages, *, timeout=None):
        assert iter(messages)
        return self.pull_messages(list(self.push_messages(messages)))

    def answer(self, message):
        node = message.metadata.dst_node_id
        if node in self.silent:
            return None
        if node in self.broken:
            return Message(Error(0, "broken"), reply_to=message)
        context = Context(1, node, node_config(node), RecordDict(), {})
        call = app
        for mod in self.mods:
            call = partial(mod, call_next=call)
        return call(message, context)


def fedavg(**more):
    return FedAvg(fraction_train=1.0, min_train_nodes=3, min_evaluate_nodes=3, **more)


def train(grid, strategy=None, rounds=2, **more):
    return (strategy or fedavg()).start(
        grid=grid, initial_arrays=ArrayRecord([MODEL]), num_rounds=rounds, **more
    )


@pytest.fixture(autouse=True)
def task(monkeypatch):
    """A message of Flower states the task that the process runs."""
    for name in ("_task_id", "_run_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fedavg.jsonl"


def test_one_changed_line_records_a_training(path):
    plain = train(Nodes())
    recorded = train(Recorder(Nodes(), path))
    assert plain.train_metrics_clientapp == recorded.train_metrics_clientapp
    log = read(path)
    assert (log.header.run, log.header.method) == ("fedavg", "fedavg")
    assert sorted((v.round, int(v.client)) for v in log.visits) == sorted(
        (number, node) for number in (1, 2) for node in NODES
    )
    arrays = ArrayRecord([MODEL]).count_bytes()
    config, metrics = len("server-round") + 8, len("num-examples") + len("accuracy") + 16
    assert {v.bytes_down for v in log.visits} == {arrays + config}
    assert {v.bytes_up for v in log.visits} == {arrays + metrics}
    assert {(v.seconds, v.examples, v.failed) for v in log.visits} == {(None, None, False)}
    assert log.program is not None
    assert (log.program.preset, log.program.arrays) == ("flower", 1)


def test_evaluations_on_clients_are_apart(path):
    train(Recorder(Nodes(), path))
    log = read(path)
    assert len(log.visits) == 6
    assert {(u.round, u.purpose) for u in log.untimed} == {(1, "evaluate"), (2, "evaluate")}
    assert len(log.untimed) == 6
    assert {u.bytes_down for u in log.untimed} == {v.bytes_down for v in log.visits}


def test_errors_and_missing_answers_are_failed_visits(path):
    recorder = Recorder(Nodes(broken=NODES[:1], silent=NODES[1:2]), path)
    train(recorder, rounds=1)
    assert sorted((int(v.client), v.failed, v.bytes_up > 0) for v in read(path).visits) == [
        (NODES[1], True, False),
        (NODES[2], False, True),
        (NODES[0], True, False),
    ]


def test_the_mod_tells_seconds_and_partition_and_strategies_do_not_see_it(path):
    strategy = fedavg()
    seen = []
    aggregate = strategy.aggregate_train
    strategy.aggregate_train = lambda number, replies: (
        seen.extend(set(each.content) for each in replies),
        aggregate(number, replies),
    )[1]
    train(Recorder(Nodes(mods=[timed]), path), strategy)
    assert seen == [{"arrays", "metrics"}] * 6
    log = read(path)
    assert log.partitions == {str(node): number for number, node in enumerate(NODES)}
    assert all(0 <= v.seconds < 10 for v in log.visits)
    unmodded = path.with_name("other.jsonl")
    train(Recorder(Nodes(), unmodded))
    assert {v.bytes_up for v in log.visits} == {v.bytes_up for v in read(unmodded).visits}


def test_a_client_that_never_answers_has_a_number_as_well(path):
    train(Recorder(Nodes(mods=[timed], silent=NODES[1:2]), path))
    assert read(path).partitions == {str(node): number for number, node in enumerate(NODES)}


def test_examples_are_a_metric_that_the_user_names(path):
    train(Recorder(Nodes(), path, examples_key="num-examples"))
    assert {v.examples for v in read(path).visits} == {10}


def test_scores_of_the_server_and_of_the_clients(path):
    recorder = Recorder(Nodes(), path)
    on_server = recorder.scored(
        lambda number, arrays: MetricRecord({"accuracy": number / 10, "loss": math.nan})
    )
    train(recorder, evaluate_fn=on_server)
    assert [(s.round, s.value, s.loss) for s in read(path).scores] == [
        (0, 0, None),
        (1, 0.1, None),
        (2, 0.2, None),
    ]
    other = Recorder(Nodes(), path.with_name("other.jsonl"))
    averaged = other.scored(lambda contents, key: MetricRecord({"accuracy": 0.5, "loss": 2}))
    train(other, fedavg(evaluate_metrics_aggr_fn=averaged))
    scores = read(path.with_name("other.jsonl")).scores
    assert [(s.round, s.value, s.loss) for s in scores] == [(1, 0.5, 2), (2, 0.5, 2)]


def test_a_metric_that_is_not_there_is_named(path):
    recorder = Recorder(Nodes(), path, metric="acuracy")
    scored = recorder.scored(lambda number, arrays: MetricRecord({"accuracy": 0.5, "loss": 2}))
    with pytest.raises(
        MessageLogError, match="'accuracy', 'loss'; allowed: metrics with 'acuracy'"
    ):
        train(recorder, evaluate_fn=scored)


def test_a_hand_written_loop_that_pushes_and_pulls(path):
    """Without the round in the config: a round ends with its answers."""
    with Recorder(Nodes(silent=NODES[2:]), path, clients=5) as grid:
        for _ in range(2):
            content = RecordDict({"arrays": ArrayRecord([MODEL])})
            messages = [Message(content, node, "train") for node in grid.get_node_ids()]
            ids = list(grid.push_messages(iter(messages)))
            assert len(list(grid.pull_messages(ids))) == 2
        assert len(read(path).visits) == 4  # what is left if it is killed here
    log = read(path)
    assert log.header.clients == 5
    found = sorted((v.round, NODES.index(int(v.client)), v.failed) for v in log.visits)
    assert found == [(n, node, node == 2) for n in (1, 2) for node in range(3)]


def test_a_recorder_that_is_dropped_closes_its_log(path):
    grid = Recorder(Nodes(silent=NODES), path)
    content = RecordDict({"arrays": ArrayRecord([MODEL])})
    grid.push_messages([Message(content, 5, "train")])
    del grid
    assert [(v.client, v.failed) for v in read(path).visits] == [("5", True)]


def test_the_recorder_passes_everything_on(path):
    nodes = Nodes()
    recorder = Recorder(nodes, path)
    recorder.set_run("given")
    assert nodes.given == "given"
    assert recorder.run == "the run"
    assert recorder.create_message(1, a=2) == ((1,), {"a": 2})
    assert recorder.silent == ()
    assert [each.node_id for each in recorder.get_nodes()] == list(NODES)
    with pytest.raises(AttributeError, match="unknown"):
        recorder.unknown  # noqa: B018
    recorder.close()


def test_a_log_is_never_overwritten(path):
    path.write_text("mine")
    with pytest.raises(MessageLogError, match="found a file; allowed: a new name"):
        Recorder(Nodes(), path)


@pytest.mark.parametrize(
    "values",
    [
        {"a": 1, "bc": 2.5, "d": True},
        {"text": "abc", "raw": b"1234"},
        {"list": [1, 2], "t": ["ab"]},
    ],
)
def test_the_bytes_of_a_config_are_those_that_flower_counts(values):
    assert config_bytes(ConfigRecord(values)) == ConfigRecord(values).count_bytes()


def test_an_empty_text_has_bytes_too():
    record = ConfigRecord({"name": ""})
    with pytest.raises(ValueError, match="Config values"):
        record.count_bytes()  # Flower's own count
    assert config_bytes(record) == len("name")
