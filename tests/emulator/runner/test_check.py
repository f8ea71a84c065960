"""What a study would do, in words."""

import re
from pathlib import Path

import pytest

from emulator.common.errors import RecordingError, ScenarioError
from emulator.runner import inputs, run
from emulator.runner.check import plan, recorded_rounds
from emulator.runner.defaults import remarks
from emulator.runner.estimates import Screen
from emulator.runner.events import Note, ignore
from emulator.runner.executors import Local
from emulator.runner.training_job import Options, run_training
from flasc.tasks.twenty_newsgroups import Newsgroups
from flasc.training.shared_models import SharedModels

LONG = (
    "task.tokens is not set: texts have up to 128 tokens, which takes about 4 times as long as 32"
)


def test_it_counts_and_shows_the_links(scenario, tmp_path):
    lines = list(plan(inputs.read(scenario()), tmp_path / "recordings"))
    assert lines == [
        "toy: fine",
        "3 trainings (3 methods, 1 seed) of at most 4 rounds, 3 of 30 clients per round; "
        "6 emulations (2 variants)",
        "target: 20.0% on the validation split",
        "recorded already: 0 rounds of 0 of 3 trainings, 0 to the end; "
        "how long the rest takes is not known",
        LONG,
        "fast: down 20 Mbps, up 20 Mbps, RTT 40 ms, over tcp",
        "slow: down 20 Mbps, up 5 Mbps, RTT 40 ms, over tcp",
        "a client's messages in a round, and the least time of a round (of one client, if rounds "
        "overlap):",
        "  LoRA    621 kB down,  621 kB up (computed); 817 ms to 1.5 s",
        "  head   30.8 kB down, 30.8 kB up (computed); 234 ms to 254 ms",
        "  FLASC   171 kB down,  171 kB up (computed); 441 ms to 593 ms",
    ]
    assert not (tmp_path / "recordings").exists()


def test_links_that_differ_are_a_median_and_a_range(scenario, tmp_path):
    path = scenario()
    law = "up: {kind: uniform, low: 1 Mbps, high: 9 Mbps}"
    path.write_text(path.read_text().split("vary:")[0].replace("up: 20 Mbps", law))
    *_, line, plot = list(plan(inputs.read(path), tmp_path))[:-4]
    assert line.startswith("as given: down 20 Mbps, up ")
    assert " to " in line
    assert plot.startswith("  up   ")
    assert len(plot) <= 80
    narrow = list(plan(inputs.read(path), tmp_path, Screen(40, blocks=False)))[-5]
    assert len(narrow) <= 40
    assert narrow.isascii()


def test_a_server_that_variants_differ_in_is_shown(scenario, tmp_path):
    path = scenario()
    axis = "vary: {at: {home: {network.server: {down: 100 Mbps, up: 10 Mbps}}, here: {}}}\n"
    path.write_text(path.read_text().split("vary:")[0] + axis)
    lines = list(plan(inputs.read(path), tmp_path))
    assert (
        "home: down 20 Mbps, up 20 Mbps, RTT 40 ms, over tcp; server: down 100 Mbps, up 10 Mbps"
        in lines
    )
    assert any(line.startswith("here: ") and "; server: down " in line for line in lines)


def test_clients_are_counted_by_group(scenario, tmp_path):
    groups = "groups: {far: {share: 1, down: 1 Mbps, up: 1 Mbps}, near: {share: 2, preset: fibre}}"
    path = scenario()
    text = path.read_text().split("vary:")[0]
    path.write_text(text.replace("clients: {down: 20 Mbps, up: 20 Mbps, rtt: 40 ms}", groups))
    assert any("clients: 10 far, 20 near;" in line for line in plan(inputs.read(path), tmp_path))


def test_it_knows_what_is_recorded(scenario, toys, tmp_path):
    read = inputs.read(scenario())
    first = read.trainings()[0]
    run_training(0, first, Options(tmp_path), ignore, SharedModels())
    assert recorded_rounds(first, tmp_path) == 4
    text = "\n".join(plan(read, tmp_path))
    assert "recorded already: 4 rounds of 1 of 3 trainings, 1 to the end; how" in text
    assert " up (recorded); " in text
    next(tmp_path.glob("*/log.jsonl")).write_text("nonsense\n")
    with pytest.raises(RecordingError, match=r"log\.jsonl: line 1"):
        recorded_rounds(first, tmp_path)


ONE_LINK = "clients: {down: 20 Mbps, up: 20 Mbps, rtt: 40 ms}"
SILENT = "RTT 0 ms (not given){}: handshakes and slow start take no time"


@pytest.mark.parametrize(
    ("network", "whose"),
    [
        ("clients: {down: 20 Mbps, up: 20 Mbps}", ""),
        ("clients: {down: 20 Mbps, up: 20 Mbps, rtt: 0 ms}", None),
        ("clients: {preset: adsl}", None),
        ("groups: {far: {share: 1, down: 1 Mbps, up: 1 Mbps}, near: {share: 2, preset: fibre}}",
         " for far"),
    ],
    ids=str,
)  # fmt: skip
def test_a_round_trip_that_nobody_gave_is_told(scenario, tmp_path, network, whose):
    path = scenario()
    path.write_text(path.read_text().split("vary:")[0].replace(ONE_LINK, network))
    lines = list(plan(inputs.read(path), tmp_path))
    told = [line for line in lines if "not given" in line]
    assert told == ([] if whose is None else [SILENT.format(whose)])


def test_it_is_told_once_of_the_variants_that_have_none(scenario, tmp_path):
    path = scenario()
    axis = "vary: {rtt: {near: {}, far: {network.clients.rtt: 200 ms}, here: {}}}\n"
    path.write_text(path.read_text().split("vary:")[0].replace(", rtt: 40 ms", "") + axis)
    lines = list(plan(inputs.read(path), tmp_path))
    assert lines.count(SILENT.format(" in 2 of 3 variants")) == 1


def test_an_application_is_named_and_counts_in_the_least_times(scenario, tmp_path):
    path = scenario()
    programs = (
        "vary: {by: {raw: {}, flower: {network.application: {preset: flower, arrays: 25}}, "
        "tls: {network.application: https}}}\n"
    )
    path.write_text(path.read_text().split("vary:")[0] + programs)
    lines = list(plan(inputs.read(path), tmp_path))
    links = {line.partition(":")[0]: line for line in lines if ", over tcp" in line}
    assert "application" not in links["raw"]
    assert links["flower"].endswith(
        "over tcp; application: flower (25 requests and 31 calls per message, 2 at a time, kept "
        "connections)"
    )
    assert links["tls"].endswith("over tcp; application: https (1 request per message, TLS)")

    def least_s(text):
        found = re.search(r"computed\); ([\d.]+) (ms|s)", text)
        return float(found[1]) / (1000 if found[2] == "ms" else 1)

    times = []
    for name in ("raw", "https", "{preset: flower, arrays: 25}"):
        read = inputs.read(path, overrides=[f"network.application={name}", "vary=null"])
        times.append(min(least_s(line) for line in plan(read, tmp_path) if "computed)" in line))
    plain_s, https_s, flower_s = times
    # Both messages open a TLS connection; Flower's take 28 turns more than one, each way.
    assert https_s == pytest.approx(plain_s + 2 * (0.04 + 0.003), abs=0.02)
    assert flower_s > 2 * 27 * 0.04 + 2 * 56 * 0.008


def test_what_has_yet_to_be_trained_must_be_trainable(scenario, toys, tmp_path, monkeypatch):
    read = inputs.read(scenario())
    monkeypatch.setattr(Newsgroups, "most_clients", 20)
    with pytest.raises(ScenarioError, match=r"task\.clients: found 30; allowed: at most 20"):
        list(plan(read, tmp_path))
    for training in read.trainings():
        run_training(0, training, Options(tmp_path), ignore, SharedModels())
    assert "3 to the end" in list(plan(read, tmp_path))[3]


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("./missing", "no such model or folder"),
        ("a/b/c", "no such model or folder"),
        ("./", "a folder without config.json"),
    ],
)
def test_a_model_is_looked_for_in_folders(scenario, tmp_path, monkeypatch, model, found):
    monkeypatch.chdir(tmp_path)
    read = inputs.read(scenario(), [f"task.model={model}"])
    with pytest.raises(ScenarioError, match="allowed: a folder with config") as caught:
        list(plan(read, tmp_path / "recordings"))
    where = f"--set task.model={model}: task.model: found '{model}', {found}"
    assert caught.value.message.startswith(f"{where} ({tmp_path / model}); ")
    (tmp_path / model).mkdir(parents=True, exist_ok=True)
    (tmp_path / model / "config.json").write_text("{}")
    with pytest.raises(ScenarioError, match=r"it has no model\.safetensors"):
        list(plan(read, tmp_path / "recordings"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["task.model={}"], None),
        (["task.model={}", "training.lora.upper_layers=3"], "training.lora.upper_layers: found 3 "),
        (["task.model={}", "training.lora.targets=[q]"], "training.lora.targets: found 'q', which"),
        (
            ["task.model={}", "methods.LoRA={{kind: full}}", "training.lora.targets=[q]"],
            "found 'q'",
        ),
        (
            ["training.lora.targets=[q_proj]"],
            "found 'q_proj', which is no module of the bert model",
        ),
    ],
)
def test_what_the_files_of_a_model_tell_is_foreseen(
    scenario, model, tmp_path, monkeypatch, changes, said
):
    monkeypatch.setattr("flasc.models.folder._is_unknown", lambda *_: True)  # or torch is asked
    read = inputs.read(scenario(), [change.format(model) for change in changes])
    if said is None:
        assert list(plan(read, tmp_path / "recordings"))
        return
    with pytest.raises(ScenarioError, match=re.escape(said)):
        list(plan(read, tmp_path / "recordings"))
    with pytest.raises(ScenarioError, match=re.escape(said)):  # before any text is tokenised
        run.run(read, tmp_path / "out", Options(tmp_path / "recordings"), engine=Local(1))


def test_variants_of_one_line_say_what_they_set(scenario, tmp_path):
    path = scenario()
    axes = """\
vary:
  upload:
    fast: {}
    slow: {network.clients.up: 5 Mbps}
  phone:
    none: {}
    old: {compute.per_example: 90 ms}
    shop: {compute: {speed: 9 GFLOP/s, utilisation: 20 %}, network.charge: values}
"""
    path.write_text(path.read_text().split("vary:")[0] + axes)
    lines = list(plan(inputs.read(path), tmp_path))[5:11]
    slow = "down 20 Mbps, up 5 Mbps, RTT 40 ms, over tcp"
    assert lines[3:] == [
        f"slow, none: {slow}",
        f"slow, old: {slow}; compute.per_example: 90 ms",
        f'slow, shop: {slow}; compute: {{"speed": "9 GFLOP/s", "utilisation": "20 %"}}; '
        "network.charge: values",
    ]
    assert all(line.startswith("fast, ") and "network.clients" not in line for line in lines[:3])


def test_a_model_of_the_hub_is_not_looked_for(scenario, tmp_path):
    read = inputs.read(scenario(), ["task.model=owner/missing@v1"])
    assert list(plan(read, tmp_path))


def test_labels_are_no_terminal_commands(scenario, tmp_path):
    path = scenario()
    path.write_text(path.read_text().replace("slow:", '"\\e[31mslow\\n":'))
    text = "\n".join(plan(inputs.read(path), tmp_path))
    assert "\\x1b[31mslow\\n: down" in text
    assert "\x1b" not in text


def links_line(scenario, tmp_path, clients):
    path = scenario()
    text = path.read_text().split("vary:")[0]
    text = text.replace("clients: {down: 20 Mbps, up: 20 Mbps, rtt: 40 ms}", f"clients: {clients}")
    path.write_text(text)
    return next(line for line in plan(inputs.read(path), tmp_path) if line.startswith("as given"))


def test_it_names_presets_and_what_is_shared(scenario, tmp_path):
    assert links_line(scenario, tmp_path, "{preset: adsl}") == (
        "as given: down 9.1 Mbps, up 800 kbps, RTT 49 ms, over tcp; presets: adsl"
    )
    cells = "{clients: 20, down: 100 Mbps, up: 40 Mbps, half_duplex: true}"
    link = f"{{down: 20 Mbps, up: 5 Mbps, half_duplex: true, cells: {cells}}}"
    assert links_line(scenario, tmp_path, link) == (
        "as given: down 20 Mbps, up 5 Mbps, RTT 0 ms, over tcp; half duplex: 100% of the clients; "
        "2 cells of at most 20 clients: down 100 Mbps, up 40 Mbps, half duplex"
    )


def test_it_says_what_changes_in_time(scenario, tmp_path):
    table = Path(__file__).parents[2] / "data/fedscale_sample.json"
    day = "{kind: diurnal, mean: 20 Mbps, depth: 0.5}"
    assert links_line(scenario, tmp_path, f"{{down: {day}, up: {{ratio: 1/4}}}}") == (
        "as given: down 20 Mbps, up 5 Mbps, RTT 0 ms, over tcp; "
        "changing: clients down by diurnal, clients up with down"
    )
    devices = f"{{devices: {{format: fedscale, file: {table}}}, rtt: 9 ms}}"
    assert links_line(scenario, tmp_path, devices).endswith(
        "RTT 9 ms, over tcp; devices: fedscale fedscale_sample.json"
    )


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ("synchronous", None),
        ("{kind: overselection, select: 13}", "first 10 of 13"),
        ("{kind: deadline, deadline: 30 s, late: accept}", "deadline 30.0 s, 10 asked, late ones"),
        ("{kind: buffered, concurrency: 20, buffer: 5}", "20 at work, a step for 5 updates"),
        ("{kind: asynchronous, concurrency: 9}", "9 at work, a step for each"),
    ],
    ids=str,
)
def test_it_names_a_policy_and_who_leaves(scenario, tmp_path, policy, says):
    link = "{down: 20 Mbps, up: 5 Mbps, availability: {kind: on_off, on: 9 min, off: 1 min}}"
    path = scenario()
    text = path.read_text().split("vary:")[0].replace("cohort: 3", "cohort: 10")
    old = "clients: {down: 20 Mbps, up: 20 Mbps, rtt: 40 ms}"
    path.write_text(f"{text.replace(old, f'clients: {link}')}policy: {policy}\n")
    line = next(line for line in plan(inputs.read(path), tmp_path) if line.startswith("as given"))
    assert "; leaving: clients (on_off)" in line
    assert ("policy" in line) == (says is not None)
    assert says is None or f"; policy: {says}" in line


def test_texts_that_are_longer_than_a_model_reads_are_foreseen(scenario, model, tmp_path):
    (model / "config.json").write_text('{"model_type": "bert", "max_position_embeddings": 64}')
    read = inputs.read(scenario(), [f"task.model={model}"])
    found = r"task\.tokens: found 128 \(the default\) with a model of 64 positions .*at most 64"
    with pytest.raises(ScenarioError, match=found):
        list(plan(read, tmp_path))


def test_defaults_that_make_a_training_long_are_told(scenario, model, toys, tmp_path, monkeypatch):
    """By `check` and by `run`, for what is not recorded to its end."""

    def told(*changes):
        read, heard = inputs.read(scenario(), changes, ["LoRA"]), []
        store = tmp_path / "recordings"
        said = list(remarks(read, store))
        assert [line for line in plan(read, store) if line in said] == said
        run.run(read, tmp_path / "out", Options(store), engine=Local(1), on_event=heard.append)
        notes = [each.text for each in heard if isinstance(each, Note) and each.training is None]
        assert notes == said
        return said

    assert told() == [LONG]
    assert told() == []  # it is recorded now
    assert told("task.tokens=128") == []
    (model / "config.json").write_text('{"model_type": "distilbert"}')
    changes = ["task.tokens=64", f"task.model={model}", "training.lora.targets=[query]"]
    engine = "the reference engine trains models of type distilbert: slower"
    assert told(*changes)[0].startswith(engine)
    assert told(*changes, "training.engine=reference") == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["methods.LoRA={kind: full}", "training.precision=bf16"], "precision: found bf16; the"),
        (
            ["methods.LoRA={kind: full}", "training.evaluation.precision=bf16"],
            "evaluation.precision: found bf16; the",
        ),
        (["training.engine=reference", "training.precision=tf32"], "precision: found tf32; the"),
        (
            ["task={name: friends, clients: 30}", "methods.LoRA={kind: head}"],
            "methods: found a method that trains the head alone; a language model's head is frozen",
        ),
    ],
)
def test_settings_that_no_engine_trains_are_foreseen(scenario, tmp_path, changes, said):
    read = inputs.read(scenario(), changes, ["LoRA"])
    with pytest.raises(ScenarioError, match=re.escape(said)):
        list(plan(read, tmp_path))
