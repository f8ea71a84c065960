"""What a message log cannot answer is refused with the reason."""

from pathlib import Path

import pytest

from emulator.common.errors import MessageLogError, RecordingError, ScenarioError
from emulator.integrations.message_log import Writer
from emulator.runner import inputs
from emulator.runner.export_recording import packed_recording
from emulator.runner.run import options_for
from emulator.testbed.cases import cases

NETWORK = """\
network:
  server: {down: 1 Gbps, up: 1 Gbps}
  clients: {down: 8 Mbps, up: 8 Mbps, rtt: 20 ms}
"""
LOGGED = "a log has the training as it was"


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(NETWORK)
    return path


@pytest.fixture
def log(tmp_path):
    """Writes a log with or without examples and scores; gives its path."""

    def written(examples=None, scored=True):
        with Writer(tmp_path / "log.jsonl", run="r", method="FedAvg") as writer:
            for client in range(4):
                writer.visit(1, client, bytes_down=9, bytes_up=9, examples=examples)
            if scored:
                writer.score(1, 0.5)
        return tmp_path / "log.jsonl"

    return written


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("policy={kind: buffered, concurrency: 3, buffer: 2}", f"policy: found buffered; {LOGGED}"),
        ("policy={kind: overselection, select: 4}", f"policy: found overselection; {LOGGED}"),
        ("selection={kind: oort}", f"selection: found oort; {LOGGED}"),
        ("training.rounds=5", f"training.rounds: found 5; {LOGGED}"),
        ("training.cohort=2", f"training.cohort: found 2; {LOGGED}"),
        ("training.client.lr=0.5", f"training.client: found another value; {LOGGED}"),
        ("training.lora.rank=4", f"training.lora: found another value; {LOGGED}"),
        ("training.evaluation.every=2", f"training.evaluation: found another value; {LOGGED}"),
        ("training.dp={clip: 1.0, noise: 1.0, delta: 1e-5}", "training.dp: found"),
        ("training.seeds=[0, 1]", "training.seeds: found 2 seeds; a log has one training"),
        ("task.clients=9", f"task: found another task than in the log; {LOGGED}"),
        ("methods.FedAvg.rank=4", f"methods: found another method than in the log; {LOGGED}"),
        ("network.charge=values", "network.charge: found 'values'; a log has the bytes of whole"),
        (
            "network.clients.availability={kind: on_off, on: 1 min, off: 1 min}",
            "network.clients: found clients that leave (clients: availability)",
        ),
        (
            "compute={speed: 20 GFLOP/s, utilisation: 30 %}",
            "compute.speed: a log does not have the operations per example",
        ),
        ("compute={max_rank: 8}", f"compute.max_rank: found a limit of the rank; {LOGGED}"),
        ("compute.per_example=30 ms", "compute: the log of FedAvg has visits without examples"),
    ],
)
def test_what_a_log_cannot_answer(log, network, override, said):
    with pytest.raises((MessageLogError, ScenarioError)) as caught:
        inputs.read(log(), [override], networks=[network])
    assert said in caught.value.message


@pytest.fixture
def falling(tmp_path):
    """A log of a perplexity."""
    header = {"metric": "perplexity", "direction": "lower"}
    with Writer(tmp_path / "log.jsonl", run="r", method="FedAvg", **header) as writer:
        writer.visit(1, 7, bytes_down=9, bytes_up=9)
        writer.score(1, 30.0)
    return tmp_path / "log.jsonl"


@pytest.mark.parametrize(
    ("target", "value"), [("{loss: 12}", 12), ("12.5", 12.5), ("{loss: 0, rule: mean3}", 0)]
)
def test_the_target_of_a_falling_metric_is_a_loss(falling, network, target, value):
    goal = inputs.read(falling, [f"training.target={target}"], networks=[network]).scenario
    assert (goal.training.goal.value, goal.training.goal.measure) == (value, "falling")


def test_an_accuracy_as_the_target_of_a_falling_metric(falling, network):
    with pytest.raises(ScenarioError) as caught:
        inputs.read(falling, ["training.target={accuracy: 0.5}"], networks=[network])
    assert caught.value.message.endswith(
        "training.target: found accuracy; allowed: loss, as lower values of perplexity are better"
    )


def test_a_loss_as_the_target_of_a_growing_metric(log, network):
    with pytest.raises(ScenarioError) as caught:
        inputs.read(log(), ["training.target={loss: 0.5}"], networks=[network])
    assert caught.value.message.endswith(
        "training.target: found loss; allowed: accuracy, for a value of accuracy"
    )


def test_a_target_without_scores(log, network):
    with pytest.raises(MessageLogError, match="the log of FedAvg has no scores"):
        inputs.read(log(scored=False), ["training.target=0.5"], networks=[network])


def test_what_a_log_can_answer(log, network):
    path = log(examples=10)
    for overrides in (
        ["training.target=0.5"],
        ["training.seeds=[3]"],
        ["name=other"],
        ["compute.per_example=30 ms"],
        ["network.clients.up=1 Mbps"],
        ["network.transport=fluid"],
    ):
        assert inputs.read(path, overrides, networks=[network]).logs


def test_a_network_by_overrides_alone(log):
    overrides = [
        "network.server={down: 1 Gbps, up: 1 Gbps}",
        "network.clients={down: 8 Mbps, up: 8 Mbps, rtt: 20 ms}",
    ]
    assert inputs.read(log(), overrides).logs


def test_the_reason_names_the_variant(log, network):
    other = network.with_name("leaving.yaml")
    other.write_text(
        NETWORK.replace("20 ms}", "20 ms, availability: {kind: on_off, on: 1 h, off: 1 h}}")
    )
    with pytest.raises(MessageLogError, match=r"\(variant leaving\)"):
        inputs.read(log(), networks=[network, other])


def test_what_needs_recordings(log, network, tmp_path):
    study = inputs.read(log(), networks=[network])
    with pytest.raises(RecordingError, match="beside message logs"):
        options_for(study, tmp_path)
    with pytest.raises(RecordingError, match="found message logs"):
        packed_recording({"log": study}, {"log": tmp_path})
    with pytest.raises(RecordingError, match="found message logs"):
        cases(study, Path("log"), tmp_path, (), 1)
