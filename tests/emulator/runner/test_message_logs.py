"""Message logs become a study, and are timed as trainings of this program are."""

import json
from pathlib import Path

import pytest

from emulator.common.errors import MessageLogError, NotRecordedError, ScenarioError
from emulator.integrations.message_log import Writer, read
from emulator.results.ledger import Ledger
from emulator.results.metadata import RunMetadata
from emulator.results.metrics import outcome
from emulator.runner import inputs, message_logs
from emulator.runner.executors import Local
from emulator.runner.metadata import first_fleet
from emulator.runner.run import folder_name, options_for, run
from emulator.simulation.records import Client, Evaluation, Round, Transfer
from emulator.simulation.target import Goal

ROOT = Path(__file__).parents[3]
NETWORKS = ROOT / "scenarios/networks"
FOUR_G = NETWORKS / "4g_cell.yaml"


def rows_of(folder):
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        return {each: ledger.rows(each) for each in ledger.emulations()}


@pytest.fixture
def log(tmp_path):
    """Writes a small log with some values of its own; gives its path."""

    def written(name="log.jsonl", ids=(7, 9), rounds=2, scored=True, seconds=1.5, **header):
        header = {"run": "my run", "method": "FedAvg"} | header
        with Writer(tmp_path / name, **header) as writer:
            for number in range(1, rounds + 1):
                for each in ids:
                    writer.visit(number, each, bytes_down=100_000, bytes_up=50_000, seconds=seconds)
                if scored:
                    writer.score(number, number / 10, loss=1.0)
        return tmp_path / name

    return written


def timed(paths, out, networks=(FOUR_G,), overrides=()):
    study = inputs.read(paths, overrides, networks=networks)
    outcome = run(study, out, options_for(study, None), engine=Local(1))
    assert outcome.failure is None
    return rows_of(out)


# -- clients and their links


def numbers(*logs):
    return [dict(each) for each in message_logs.numbered([read(path) for path in logs])]


def test_client_n_is_the_nth_id(log):
    assert numbers(log(ids=(7, "b", 3))) == [{"7": 0, "b": 1, "3": 2}]


def test_logs_that_share_ids_are_numbered_together(log):
    first, second = log("a.jsonl", ids=(7, 9)), log("b.jsonl", ids=(3, 9))
    assert numbers(first, second) == [{"7": 0, "9": 1}, {"3": 2, "9": 1}]


def test_a_log_whose_ids_are_all_its_own_is_numbered_by_itself(log):
    """The ids of nodes in Flower are random and change from run to run."""
    first, second = log("a.jsonl", ids=(7, 9)), log("b.jsonl", ids=(123, 456))
    assert numbers(first, second) == [{"7": 0, "9": 1}, {"123": 0, "456": 1}]


def test_a_partition_is_the_number_of_its_client(tmp_path):
    with Writer(tmp_path / "p.jsonl", run="r", method="m") as writer:
        writer.client("x", partition=5)
        writer.client("y", partition=2)
        for each in "xy":
            writer.visit(1, each, bytes_down=1, bytes_up=1)
    assert numbers(tmp_path / "p.jsonl") == [{"x": 5, "y": 2}]
    logs = message_logs.read([tmp_path / "p.jsonl"])
    assert logs.scenario["task"]["clients"] == 6


def test_client_n_has_the_link_of_client_n(log, tmp_path):
    rows = timed([log(clients=10)], tmp_path / "out")
    study = inputs.read(tmp_path / "log.jsonl", networks=[FOUR_G])
    (found,) = rows.values()
    links = [row for row in found if isinstance(row, Client)]
    assert len(links) == 10
    drawn = first_fleet(study.scenario)
    assert [row.down_Bps for row in links] == drawn.down_Bps.tolist()
    assert {row.client for row in found if isinstance(row, Transfer)} == {0, 1}


# -- several logs


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ({}, {}, "found method 'FedAvg' with seed 0 in both"),
        ({"seed": 2}, {"seed": 2}, "found method 'FedAvg' with seed 2 in both"),
        ({"seed": 1}, {"method": "b"}, "FedAvg and b: found logs with seed 1 and with seed 0;"),
        ({"metric": "F1"}, {"method": "b"}, "metric: found 'F1' and 'accuracy'"),
        ({"clients": 5}, {"method": "b", "clients": 6}, "clients: found 5 and 6"),
        ({"target": 0.5}, {"method": "b", "target": 0.6}, "target: found 0.5 and 0.6"),
        (
            {"clients": 3, "ids": (1, 2)},
            {"method": "b", "ids": (2, 3, 4)},
            "clients: found 3, and the logs name 4 in all",
        ),
        (
            {"direction": "lower", "metric": "loss"},
            {"direction": "higher", "metric": "loss", "method": "b"},
            "direction: found 'lower' and 'higher'",
        ),
    ],
)
def test_logs_that_do_not_fit_together(log, one, other, said):
    paths = [log("a.jsonl", **one), log("b.jsonl", **other)]
    with pytest.raises(MessageLogError, match=said) as caught:
        message_logs.read(paths)
    assert caught.value.hint


def test_several_logs_are_one_study_with_a_method_each(log, tmp_path):
    paths = [log("a.jsonl", target=0.1), log("b.jsonl", method="FedProx", rounds=3)]
    rows = timed(paths, tmp_path / "out", [FOUR_G, NETWORKS / "5g.yaml"])
    assert [(e.method, e.variant) for e in rows] == [
        ("FedAvg", "4g_cell"), ("FedAvg", "5g"), ("FedProx", "4g_cell"), ("FedProx", "5g"),
    ]  # fmt: skip
    counts = [sum(isinstance(row, Round) for row in found) for found in rows.values()]
    assert counts == [2, 2, 3, 3]  # each log to its own end: a target of the log ends nothing


def test_a_target_in_the_header_is_not_used_without_scores(log, tmp_path):
    paths = [log("a.jsonl", target=0.1), log("b.jsonl", method="b", target=0.1, scored=False)]
    logs = message_logs.read(paths)
    assert "target" not in logs.scenario["training"]
    assert list(message_logs.log_remarks(logs.trainings, timed=True)) == [
        "b: no scores on validation, so the target in the header is not used"
    ]
    assert message_logs.read(paths[:1]).scenario["training"]["target"]["accuracy"] == 0.1


def test_a_falling_metric_is_reached_from_above(log, tmp_path):
    header = {"metric": "perplexity", "direction": "lower", "target": 12}
    with Writer(tmp_path / "p.jsonl", run="r", method="m", **header) as writer:
        for number, value in enumerate((60.0, 30.0, 11.0, 14.0)):
            if number:
                writer.visit(number, 7, bytes_down=100_000, bytes_up=50_000)
            writer.score(number, value, loss=2.0)
    ((found, rows),) = timed([tmp_path / "p.jsonl"], tmp_path / "out").items()
    with Ledger.open(tmp_path / "out/ledger.sqlite") as ledger:
        meta = RunMetadata.from_meta(ledger.meta())
    assert (meta.metric, meta.metric_measure) == ("perplexity", "falling")
    assert meta.goal == Goal(12, measure="falling")
    got = outcome(found, rows, meta.goal, metric=meta.metric_measure)
    assert (got.rounds_to_target, got.target_measure) == (2, "falling")
    assert (got.best_accuracy, got.final_accuracy, got.final_loss) == (11, 14, 2.0)
    assert got.accuracy_lost == 0  # the last three are the best three


# -- seeds


def test_logs_of_one_method_are_its_seeds(log, tmp_path):
    paths = [
        log(f"{method}{seed}.jsonl", method=method, seed=seed, rounds=2 + seed)
        for method in ("FedAvg", "FLASC")
        for seed in (3, 0)
    ]
    rows = timed(paths, tmp_path / "out")
    assert [(e.method, e.seed) for e in rows] == [
        ("FedAvg", 0), ("FedAvg", 3), ("FLASC", 0), ("FLASC", 3),
    ]  # fmt: skip
    counts = [sum(isinstance(row, Round) for row in found) for found in rows.values()]
    assert counts == [2, 5, 2, 5]
    links = [[row for row in found if isinstance(row, Client)] for found in rows.values()]
    assert links[0] == links[2] != links[1]  # drawn by seed, the same for each method
    assert links[1] == links[3]
    assert timed([tmp_path / "out"], tmp_path / "again") == rows


def test_a_log_with_a_seed_alone_answers_for_another_one(log):
    path = log(seed=4)
    study = inputs.read(path, networks=[FOUR_G])
    assert study.scenario.training.seeds == [4]
    (job,) = inputs.read(path, ["training.seeds=[9]"], networks=[FOUR_G]).trainings()
    assert (job.seed, job.log) == (9, study.trainings()[0].log)


def test_seeds_that_are_not_logged(log):
    paths = [log("a.jsonl", seed=2), log("b.jsonl", seed=1), log("c.jsonl", seed=0)]
    study = inputs.read(paths, ["training.seeds=[0, 2]"], networks=[FOUR_G])
    assert [job.seed for job in study.trainings()] == [0, 2]
    with pytest.raises(MessageLogError, match=r"found \[0, 5\]; the logs have seeds 0, 1, 2"):
        inputs.read(paths, ["training.seeds=[0, 5]"], networks=[FOUR_G])


def test_remarks_name_the_seed(log):
    paths = [log("a.jsonl", seed=0, seconds=None), log("b.jsonl", seed=1)]
    (said,) = message_logs.log_remarks(message_logs.read(paths).trainings, timed=True)
    assert said.startswith("FedAvg, seed 0: 4 of 4 visits have no seconds")


# -- runs


def test_a_log_gives_the_times_of_the_recording_that_it_was_written_from(tmp_path):
    """The messages and scores of a real training: as a recording, and as another program's log."""
    packed = ROOT / "recordings/figure3.json.gz"
    study = inputs.read(packed, only=["head only"], networks=[FOUR_G])
    run(study, tmp_path / "recorded", options_for(study, None), engine=Local(1))
    ((emulation, recorded), *_) = rows_of(tmp_path / "recorded").items()
    sizes = {}
    for row in recorded:
        if isinstance(row, Transfer):
            sizes.setdefault((row.round, row.client), {})[f"bytes_{row.direction}"] = row.nbytes
    clients = sum(isinstance(row, Client) for row in recorded)
    path = tmp_path / "log.jsonl"
    with Writer(path, run="again", method=emulation.method, clients=clients) as writer:
        for client in dict.fromkeys(client for _, client in sizes):
            writer.client(client, partition=client)
        for (number, client), each in sizes.items():
            writer.visit(number, client, **each)
        for row in recorded:
            if isinstance(row, Evaluation):
                more = {"split": row.split, "loss": row.loss, "examples": row.examples}
                writer.score(row.round, row.accuracy, **more)
    (logged,) = timed([path], tmp_path / "logged").values()
    for kind in (Round, Transfer, Evaluation):
        ours = [row for row in logged if isinstance(row, kind)]
        assert len(ours) > 5
        assert ours == [row for row in recorded if isinstance(row, kind)]


def test_the_folder_of_a_run_is_replayed_under_another_network(log, tmp_path):
    first = timed([log(), log("b.jsonl", method="b", ids=(8, 9))], tmp_path / "out")
    (tmp_path / "log.jsonl").unlink()
    again = timed([tmp_path / "out"], tmp_path / "again")
    assert again == first
    other = timed([tmp_path / "out"], tmp_path / "other", [NETWORKS / "leo.yaml"])
    assert [each.variant for each in other] == ["leo", "leo"]
    (tmp_path / "out/logs/1.jsonl").unlink()
    study = inputs.read(tmp_path / "out")
    with pytest.raises(NotRecordedError, match="found no copies of its message logs"):
        run(study, tmp_path / "gone", options_for(study, None), engine=Local(1))


def test_a_run_of_fewer_logs_keeps_no_older_ones(log, tmp_path):
    timed([log(), log("b.jsonl", method="b")], tmp_path / "out")
    timed([log("c.jsonl")], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out/logs").iterdir()] == ["1.jsonl"]


def test_a_log_does_not_share_the_folder_of_a_training(log):
    study = inputs.read(log(), networks=[FOUR_G])
    assert folder_name(study, [FOUR_G]) == "my-run-logged-on-4g_cell"


def test_without_a_network_a_log_names_some(log):
    with pytest.raises(ScenarioError, match="found no network") as caught:
        inputs.read(log())
    for name in ("4g_cell", "5g", "cable"):
        assert name in caught.value.hint
        assert (NETWORKS / f"{name}.yaml").exists()


def test_a_scenario_beside_a_log(log):
    with pytest.raises(ScenarioError, match="found 2 paths; allowed: one scenario, run folder"):
        inputs.read([log(), ROOT / "scenarios/smoke.yaml"])


def test_groups_and_examples_of_the_log_are_in_the_ledger(tmp_path):
    with Writer(tmp_path / "g.jsonl", run="r", method="m") as writer:
        writer.client("x", group="phones", examples=5)
        writer.client("y", group="laptops", examples=6)
        for each in "xy":
            writer.visit(1, each, bytes_down=1, bytes_up=1)
    (found,) = timed([tmp_path / "g.jsonl"], tmp_path / "out").values()
    clients = [row for row in found if isinstance(row, Client)]
    assert [(row.group, row.examples) for row in clients] == [("phones", 5), ("laptops", 6)]


def test_what_is_not_as_in_the_real_run_is_told(log, tmp_path):
    with Writer(tmp_path / "o.jsonl", run="r", method="m") as writer:
        for each in "xyz":
            writer.visit(1, each, bytes_down=1, bytes_up=1, merged=each != "z")
    logs = message_logs.read([tmp_path / "o.jsonl"])
    assert list(message_logs.log_remarks(logs.trainings, timed=True)) == [
        "m: 3 of 3 visits have no seconds, so their local training takes no time",
        "m: in 1 round more updates arrived than were merged: the first ones to arrive end such a "
        "round, and the scores are those logged",
    ]
    assert not list(message_logs.log_remarks(message_logs.read([log()]).trainings, timed=True))


def test_requests_without_training_take_no_time_and_are_told(log, tmp_path):
    plain, asked = log("a.jsonl"), log("b.jsonl")
    with asked.open("a") as file:
        for client in (7, 9):
            line = {"kind": "untimed", "round": 1, "client": client, "bytes_down": 10**8}
            print(json.dumps(line), file=file)
    before, after = (timed([path], tmp_path / path.stem) for path in (plain, asked))
    assert list(before.values()) == list(after.values())
    (said,) = message_logs.log_remarks(message_logs.read([asked]).trainings, timed=True)
    assert said == (
        "FedAvg: 2 requests without training (2 evaluate), 200 MB down and 0 B up: not timed"
    )


# -- how a program sends its messages


def with_program(path, **keys):
    """The log with another record."""
    path.write_text(path.read_text() + json.dumps({"kind": "program", **keys}) + "\n")
    return path


def first_download_s(rows):
    return next(row.finish_s - row.start_s for row in rows if isinstance(row, Transfer))


def test_a_program_in_the_log_sends_its_messages_unless_the_network_has_one(log, tmp_path):
    """25 arrays of Flower are 28 turns more than a message alone: 28 RTTs at least."""
    path = tmp_path / "plain.yaml"
    links = "server: {down: 1 Gbps, up: 1 Gbps}, clients: {down: 1 Gbps, up: 1 Gbps, rtt: 40 ms}"
    path.write_text(f"network: {{{links}}}")
    dense = with_program(log("dense.jsonl", method="dense"), preset="flower", arrays=25)
    plain = log("plain.jsonl", method="plain")
    found = timed([dense, plain], tmp_path / "out", [path])
    took_s = {each.method: first_download_s(rows) for each, rows in found.items()}
    assert took_s["dense"] > took_s["plain"] + 27 * 0.04
    (raw,) = timed([dense], tmp_path / "raw", [path], ["network.application=raw"]).values()
    assert first_download_s(raw) == pytest.approx(took_s["plain"])
    fluid = ["network.transport=fluid"]
    (alone,) = timed([dense], tmp_path / "fluid", [path], fluid).values()
    assert first_download_s(alone) < took_s["plain"]
    study = inputs.read([dense], (), networks=[path])
    assert list(message_logs.log_remarks(study.logs, timed=False)) == [
        "dense: messages are sent as by flower (25 requests and 31 calls per message, 2 at a time, "
        "kept connections), unless the network has an application or transport fluid"
    ]


def test_the_folder_of_a_run_keeps_how_messages_are_sent(log, tmp_path):
    timed([with_program(log(), preset="flower", arrays=25)], tmp_path / "out")
    again = timed([tmp_path / "out"], tmp_path / "again", networks=())
    assert again == rows_of(tmp_path / "out")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"preset": "flowers"}, "program, preset: found 'flowers'"),
        ({"arrays": 3}, "log.jsonl: found arrays with preset raw; allowed: arrays with "),
        ({"preset": "flower", "requests": 0}, "program, requests: found 0; allowed: "),
    ],
)
def test_a_program_that_no_network_could_have_is_refused(log, keys, said):
    with pytest.raises(MessageLogError, match=said):
        inputs.read([with_program(log(), **keys)], (), networks=[FOUR_G])
