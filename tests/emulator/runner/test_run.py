"""A study from scenario to files: what is written, in which order, and what is told apart."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from emulator.api import Results
from emulator.common.errors import EmulationError, StorageError
from emulator.common.files import slug
from emulator.results.ledger import Ledger
from emulator.runner import inputs, metadata, models, parts, run, training_job
from emulator.runner.check import recorded_rounds
from emulator.runner.compare import compare
from emulator.runner.events import Simulated, TrainingFinished
from emulator.runner.executors import Local, Options
from emulator.runner.export_recording import packed_recording
from flasc.common.errors import AssetError, DivergedError

HERE = Local(1)
BAD = "methods.bad={kind: lora, client_lr: 1e6}"


@pytest.fixture
def carry(tmp_path):
    """Carry a study out into the folder `out`, here and one training after the other."""

    def carried(found, engine=HERE, **more):
        return run.run(
            found, tmp_path / "out", Options(tmp_path / "recordings"), engine=engine, **more
        )

    return carried


class Otherwise:
    """An engine that does as it is told; `Local` is at hand."""

    workers = 1

    def __init__(self, how):
        self.how = how

    def run_all(self, *args):
        return self.how(*args)


def filed(folder):
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        return [(e.method, e.variant) for e in ledger.emulations()]


def test_it_writes_what_it_says(scenario, toys, carry, tmp_path):
    outcome = carry(inputs.read(scenario()))
    assert outcome.trained_rounds == 12
    assert not outcome.failures
    names = {path.name for path in outcome.report.paths}
    assert names == {
        "index.html",
        "figure.png",
        "figure.svg",
        "results.json",
        "results.csv",
        "groups.json",
    }
    assert all(path.stat().st_size for path in outcome.report.paths)
    models = {
        path.parent.name: path.read_text() for path in tmp_path.glob("out/models/*/model.txt")
    }
    assert models == {"lora-seed-0": "4", "head-seed-0": "4", "flasc-seed-0": "4"}


def test_a_report_has_the_rows_of_the_run_and_reads_none_back(
    scenario, toys, carry, tmp_path, monkeypatch
):
    """It is the report that is made of the ledger."""
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "rows", lambda *_: pytest.fail("rows were read back"))
        written = carry(inputs.read(scenario())).report.paths
    made = [path.read_bytes() for path in written]
    assert run.write_report(written[0].parent).paths == written
    for path, before in zip(written, made, strict=True):
        assert path.suffix in (".png", ".svg") or path.read_bytes() == before


LINKS = [
    "network.clients.up={kind: uniform, low: 1 Mbps, high: 20 Mbps}",
    "network.clients.rtt={kind: uniform, low: 10 ms, high: 200 ms}",
    "network.clients.loss=0.01",
    "vary=null",
]


def rows_of(folder):
    """The rows of each simulation."""
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        return {each: ledger.rows(each) for each in ledger.emulations()}


def test_draws_of_the_fleet_are_those_of_their_seeds_and_one_recording_serves_all(
    scenario, toys, carry, tmp_path
):
    """A draw with the number of a training's seed has the rows of a run without draws."""
    seeds = "training.seeds=[3, 4]"
    carry(inputs.read(scenario(), [*LINKS, seeds]))
    own, made = rows_of(tmp_path / "out"), len(toys)
    outcome = carry(inputs.read(scenario(), [*LINKS, seeds, "network_seeds=3-5"]))
    assert (outcome.trained_rounds, len(toys)) == (0, made), "nothing is trained for a draw"
    drawn = rows_of(tmp_path / "out")
    assert len(drawn) == 3 * 2 * 3  # methods, seeds, draws
    for (method, variant, seed, _), rows in own.items():
        found = {draw: drawn[method, variant, seed, draw] for draw in (3, 4, 5)}
        assert found[seed] == rows
        assert len({str(each) for each in found.values()}) == 3
    written = json.loads((tmp_path / "out/results.json").read_text())
    assert [o["network_seed"] for o in written[:6]] == [3, 4, 5, 3, 4, 5]
    table = (tmp_path / "out/results.csv").read_text().splitlines()
    assert table[0].endswith(",network_seed")


def test_draws_are_in_the_labels_of_the_ledger(scenario, toys, carry, tmp_path):
    """So that its format stays: the table has method, variant and seed."""
    carry(inputs.read(scenario(), ["network_seeds=[7]"], ["head"]))
    with closing(sqlite3.connect(tmp_path / "out/ledger.sqlite")) as db:
        labels = [label for (label,) in db.execute("SELECT variant FROM emulation")]
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
    assert labels == ["fast, network seed 7", "slow, network seed 7"]
    with Ledger.open(tmp_path / "out/ledger.sqlite") as ledger:
        assert ledger.emulations() == [
            ("head", "fast", 0, 7), ("head", "slow", 0, 7)
        ]  # fmt: skip


@pytest.fixture
def named(toys, monkeypatch):
    """Toys that say which weights they were trained from, as the real trainer does."""
    make = training_job._real_trainer

    def real_trainer(settings, *args):
        live, provenance = make(settings, *args)
        return live, {**provenance, "weights": settings.weights()}

    monkeypatch.setattr(training_job, "_real_trainer", real_trainer)
    return toys


def test_a_local_model_that_changed_is_another_training(scenario, model, named, tmp_path):
    """Neither is replayed for the other, and both are kept."""

    def rounds(what, **more):
        store = Options(tmp_path / "recordings", **more)
        outcome = run.run(what, tmp_path / "out", store, engine=HERE)
        return outcome.trained_rounds, outcome.reused_rounds

    def read():
        return inputs.read(scenario(), [f"task.model={model}"])

    first = (model / "tokenizer.json").read_bytes()
    assert rounds(read()) == (12, 0)
    (model / "tokenizer.json").write_bytes(b"other")
    assert recorded_rounds(read().trainings()[0], tmp_path / "recordings") == 0
    assert rounds(read()) == (12, 0)
    packed = tmp_path / "packed.json.gz"
    packed.write_bytes(packed_recording({"": read()}, {"": tmp_path / "recordings"}).content)
    (model / "tokenizer.json").write_bytes(first)
    assert rounds(read()) == (0, 12)
    shutil.rmtree(model)  # a packed recording never needs the weights
    assert rounds(inputs.read(packed)) == (0, 12)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_rows_are_in_the_studys_order_whatever_ends_first(
    scenario, toys, carry, tmp_path, monkeypatch, order
):
    carry(inputs.read(scenario()))
    with closing(sqlite3.connect(tmp_path / "out/ledger.sqlite")) as db:
        expected = list(db.iterdump())

    def shuffled(*args):
        ended = dict(Local(1).run_all(*args))
        yield from ((index, ended[index]) for index in order)

    heard = []
    carry(inputs.read(scenario()), Otherwise(shuffled), on_event=heard.append)
    assert [e.training for e in heard if isinstance(e, TrainingFinished)] == order
    with closing(sqlite3.connect(tmp_path / "out/ledger.sqlite")) as db:
        assert list(db.iterdump()) == expected


def test_a_run_that_breaks_off_keeps_what_was_filed(scenario, toys, carry, tmp_path, monkeypatch):

    def broken(*args):
        ended = dict(Local(1).run_all(*args))
        yield 0, ended[0]
        yield 2, ended[2]
        raise KeyboardInterrupt

    carry(inputs.read(scenario()))
    with pytest.raises(KeyboardInterrupt):
        carry(inputs.read(scenario()), Otherwise(broken))
    assert filed(tmp_path / "out") == [("LoRA", "fast"), ("LoRA", "slow")]
    assert not (tmp_path / "out/index.html").exists()  # it would be of the run before


def test_a_failure_leaves_the_others_and_is_handed_back(scenario, toys, carry, tmp_path):
    found = inputs.read(scenario(), [BAD], ["bad", "head"])
    outcome = carry(found)
    (index, error), *rest = outcome.failures
    assert found.trainings()[index].method == "bad"
    assert isinstance(error, DivergedError)
    assert not rest
    assert {method for method, _ in filed(tmp_path / "out")} == {"head"}
    assert len(json.loads((tmp_path / "out/results.json").read_text())) == 2


def test_where_all_fail_nothing_is_reported(scenario, toys, carry, tmp_path):
    outcome = carry(inputs.read(scenario(), [BAD], ["bad"]))
    assert len(outcome.failures) == 1
    assert outcome.report is None


@pytest.mark.parametrize("error", [AssetError("no network"), StorageError("full")])
def test_what_the_machine_refuses_ends_the_run_at_once(scenario, carry, monkeypatch, error):
    def refusing(*_):
        yield 0, error
        pytest.fail("the next training would fare no better")

    with pytest.raises(type(error)):
        carry(inputs.read(scenario()), Otherwise(refusing))


def test_an_error_of_one_training_only_does_not(scenario, carry, monkeypatch):
    errors = [(i, EmulationError("died")) for i in range(3)]
    engine = Otherwise(lambda *_: (e for e in errors))
    assert carry(inputs.read(scenario()), engine).failures == errors


def test_models_are_those_of_the_results_beside_them(scenario, toys, carry, tmp_path):
    carry(inputs.read(scenario()))
    (tmp_path / "out/models/mine").mkdir()
    carry(inputs.read(scenario(), ["training.rounds=5"], ["LoRA"]))
    folders = sorted(path.name for path in (tmp_path / "out/models").iterdir())
    assert folders == ["lora-seed-0", "mine"]
    assert (tmp_path / "out/models/lora-seed-0/model.txt").read_text() == "5"


def test_a_model_stays_that_another_run_has_trained_on_from(scenario, toys, carry, tmp_path):
    carry(inputs.read(scenario(), ["training.rounds=5"], ["LoRA"]))
    options, more = Options(tmp_path / "recordings"), ["training.rounds=8"]
    run.run(inputs.read(scenario(), more, ["LoRA"]), tmp_path / "more", options, engine=HERE)
    model = tmp_path / "out/models/lora-seed-0/model.txt"
    model.with_name("notes").touch()
    carry(inputs.read(scenario(), ["training.rounds=5"], ["LoRA"]))
    assert model.read_text() == "5"
    assert model.with_name("notes").exists()  # it is the one that was there


def test_no_model_is_copied_that_another_run_has_put_there(scenario, toys, carry, tmp_path):
    def meanwhile(trainings, options, on_event):
        yield from HERE.run_all(trainings, options, on_event)
        more = inputs.read(scenario(), ["training.rounds=8"], ["LoRA"])
        run.run(more, tmp_path / "more", options, engine=HERE)

    found = inputs.read(scenario(), ["training.rounds=5"], ["LoRA"])
    assert not carry(found, Otherwise(meanwhile)).failures
    assert (tmp_path / "more/models/lora-seed-0/model.txt").read_text() == "8"
    assert not (tmp_path / "out/models/lora-seed-0").exists()


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("FLASC 1/4 down, 1/16 up", "flasc-1-4-down-1-16-up"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "method"),
        ("日本語", "method"),
        ("a\0b\n\x1b[31m", "a-b-31m"),
        ("x" * 200, "x" * 60),
    ],
)
def test_folder_names_are_plain(name, folder):
    assert slug(name) == folder


def test_folders_whose_names_coincide_are_numbered(scenario):
    path = scenario()
    text = path.read_text().replace("  head:", '  "lora": {kind: lora, rank: 2}\n  head:')
    path.write_text(text.replace("  FLASC:", '  "LoRA.": {kind: head}\n  FLASC:'))
    names = models.model_folders(inputs.read(path).trainings())
    assert names == ["lora-seed-0", "lora-seed-0-2", "head-seed-0", "lora-seed-0-3", "flasc-seed-0"]


def test_what_a_killed_run_left_half_written_is_swept_away(scenario, toys, carry, tmp_path):
    left_over = tmp_path / "out" / ".index.html.12345"
    left_over.parent.mkdir()
    left_over.touch()
    users = [left_over.with_name(name) for name in (".env.local", ".pre-commit-config.yaml")]
    for file in users:
        file.touch()
    carry(inputs.read(scenario()))
    assert not left_over.exists()
    assert all(file.exists() for file in users)


def test_who_can_never_go_on_is_said_and_the_rest_is_kept(scenario, toys, carry, tmp_path):
    trace = tmp_path / "never.json"
    trace.write_text('{"1": {"active": [], "inactive": [], "finish_time": 9}}')
    path = scenario()
    text = path.read_text()
    text += "    never: {network.clients.availability: {kind: trace, file: never.json}}\n"
    path.write_text(text)
    outcome = carry(inputs.read(path, only=["LoRA"]))
    ((index, error),) = outcome.failures
    assert index == 0
    assert "no client is available" in error.message
    assert filed(tmp_path / "out") == [("LoRA", "fast"), ("LoRA", "slow")]
    assert (outcome.trained_rounds, outcome.reused_rounds) == (4, 0)


def test_a_ledger_says_that_nobody_gave_an_rtt_and_nothing_where_it_is_given(scenario):
    path = scenario()
    assert "remark" not in metadata.describe(inputs.read(path)).to_meta()
    path.write_text(path.read_text().replace(", rtt: 40 ms", ""))
    assert metadata.describe(inputs.read(path)).remark.startswith("RTT 0 ms (not given): ")


@pytest.fixture
def many(monkeypatch):
    """Trainings are divided as if a part had two simulations at most."""
    monkeypatch.setattr(parts, "SIZE", 2)


MANY = [*LINKS[:3], "network_seeds=0-2"]


def test_results_do_not_depend_on_parts_and_workers(scenario, toys, carry, tmp_path, monkeypatch):
    """Three draws of two variants of three trainings, in one part each or in several."""
    study = inputs.read(scenario(), MANY)
    whole = carry(study)
    before = (tmp_path / "out/ledger.sqlite").read_bytes()
    assert (whole.trained_rounds, whole.reused_rounds) == (12, 0)
    monkeypatch.setattr(parts, "SIZE", 2)
    heard = []
    for engine in (HERE, Local(2)):
        again = carry(study, engine=engine, on_event=heard.append)
        assert (again.trained_rounds, again.reused_rounds) == (0, 12)
        assert (tmp_path / "out/ledger.sqlite").read_bytes() == before
    ended = [each.training for each in heard if isinstance(each, TrainingFinished)]
    assert sorted(ended) == [0, 0, 1, 1, 2, 2], "each training ends once per run"
    assert sum(each.count for each in heard if isinstance(each, Simulated)) == 2 * 18


def test_parts_train_what_is_missing_once(scenario, toys, many, carry):
    outcome = carry(inputs.read(scenario(), MANY))
    assert (outcome.trained_rounds, outcome.reused_rounds, len(toys)) == (12, 0, 3)


def test_summaries_have_the_results_of_the_ledger(scenario, toys, many, carry, tmp_path):
    study, out = inputs.read(scenario(), MANY), tmp_path / "out"
    carry(study)
    results = {name: (out / name).read_bytes() for name in ("results.json", "results.csv")}
    found = compare([out])
    other_target = compare([out], target=0.1)
    scores = Results.read(out)
    options = Options(tmp_path / "recordings", summarise=metadata.summariser(study))
    for engine in (HERE, Local(2)):
        outcome = run.run(study, out, options, engine=engine)
        assert [path.name for path in outcome.report.paths] == ["results.json", "results.csv"]
        assert {name: (out / name).read_bytes() for name in results} == results
    assert not (out / "ledger.sqlite").exists()
    assert not (out / "index.html").exists()
    assert compare([out]) == found
    assert compare([out], target=0.1) == other_target
    assert Results.read(out) == scores
    assert inputs.read(out).document.data == study.document.data
    carry(study)
    assert not (out / "summary.sqlite").exists(), "the rows are there again"


def test_an_interrupted_run_of_summaries_has_those_of_whole_parts(
    scenario, toys, many, carry, tmp_path
):
    study, out = inputs.read(scenario(), MANY), tmp_path / "out"
    options = Options(tmp_path / "recordings", summarise=metadata.summariser(study))
    run.run(study, out, options, engine=HERE)
    whole = (out / "summary.sqlite").read_bytes()

    def stop(event):
        if isinstance(event, TrainingFinished):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.run(study, out, options, engine=HERE, on_event=stop)
    found = Results.read(out, partial=True)
    assert len(found.outcomes) == 5, "three parts; the fourth was not filed"
    assert len(found.missing) == 13
    run.run(study, out, options, engine=HERE)
    assert (out / "summary.sqlite").read_bytes() == whole
