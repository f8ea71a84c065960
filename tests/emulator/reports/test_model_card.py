"""A model card says what the results show, and nothing else."""

import yaml

from emulator.reports.model_card import TrainedModel, card
from emulator.results.ledger import Ledger
from emulator.results.metadata import RunMetadata
from emulator.results.metrics import outcome
from emulator.simulation.records import Emulation

MODEL = TrainedModel(
    method="LoRA", seed=0, task="20newsgroups", base="owner/bert", library="peft", adapter="lora",
    recording="ab12", state="cd34",
)  # fmt: skip


def card_of(path, model=MODEL, **meta):
    with Ledger.open(path) as ledger:
        known = RunMetadata.from_meta(ledger.meta() | meta)
        outcomes = [
            outcome(each, ledger.rows(each), known.goal)
            for each in ledger.emulations()
            if each.method == model.method
        ]
    return card(model, known, outcomes, "1.2.3")


def table(text, heading):
    """The rows of the table below a line, as dicts."""
    lines = text[text.index(heading) :].split("\n\n")
    block = next(part.strip() for part in lines if part.startswith("|"))
    head, _, *rows = [
        [c.strip() for c in line.strip("|").split(" | ")] for line in block.split("\n")
    ]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_the_front_matter_is_that_of_peft(write_run):
    text = card_of(write_run({"LoRA": 0.1}, {"1x": 1}))
    assert text.startswith("---\n")
    assert yaml.safe_load(text.split("---\n")[1]) == {
        "base_model": "owner/bert",
        "library_name": "peft",
        "tags": ["base_model:adapter:owner/bert", "lora", "federated-learning", "flasc-emu"],
    }
    whole = TrainedModel("full", 0, "t", "", "", "", "ab", "cd")
    assert yaml.safe_load(
        card_of(write_run({"full": 0.1}, {"1x": 1}), whole).split("---\n")[1]
    ) == {"tags": ["federated-learning", "flasc-emu"]}


def test_times_and_bytes_are_those_of_the_outcomes(write_run):
    """A round takes 3 s + seed + upload; the accuracy 0.5 is reached in round 5."""
    text = card_of(write_run({"LoRA": 0.1, "head": 0.2}, {"1x": 1, "2x": 2}, seeds=(0, 1, 2)))
    assert table(text, "## Results") == [
        {
            "network": network, "time, seed 0": own, "time, all seeds": every,
            "seeds that reached it": "3 of 3", "bytes down": "20 kB", "bytes up": "5 kB",
            "last accuracy": "1.000",
        }
        for network, own, every in (
            ("1x", "20.0 s", "median 25.0 s, 20.0 s to 30.0 s"),
            ("2x", "25.0 s", "median 30.0 s, 25.0 s to 35.0 s"),
        )
    ]  # fmt: skip
    assert (
        "until accuracy 0.50 (validation, first 1000 of 2259 examples, at one evaluation)" in text
    )
    for fact in ("| Recording | ab12 |", "| State | cd34 |", "| Networks | 1x, 2x |"):
        assert fact in text


def test_a_target_that_was_not_reached_is_never(write_run):
    (row,) = table(card_of(write_run({"LoRA": 0.01}, {"1x": 1}, seeds=(0, 1))), "## Results")
    assert row == {
        "network": "1x", "time, seed 0": "never", "time, all seeds": "median never",
        "seeds that reached it": "0 of 2", "bytes down": "never", "bytes up": "never",
        "last accuracy": "0.100",
    }  # fmt: skip


def test_without_a_target_the_whole_run_counts(write_run):
    text = card_of(write_run({"LoRA": 0.1}, {"1x": 1}, target=None, metric="F1"))
    assert "There was no target." in text
    (row,) = table(text, "## Results")
    assert row == {
        "network": "1x", "time, seed 0": "40.0 s", "time, all seeds": "median 40.0 s", "seeds": "1",
        "bytes down": "40 kB", "bytes up": "10 kB", "last F1": "1.000",
    }  # fmt: skip


def test_a_model_without_a_simulation_of_its_seed_claims_no_result(write_run):
    model = TrainedModel("LoRA", 7, "t", "b", "peft", "lora", "ab", "cd")
    assert "## Results" not in card_of(write_run({"LoRA": 0.1}, {"1x": 1}), model)


def test_names_are_no_markup(write_run):
    name = "a|b <img src=x> `c`\nd"
    text = card_of(
        write_run({name: 0.1}, {"x": 1}), TrainedModel(name, 0, "t", "b", "", "", "", "")
    )
    assert "| Method | a\\|b &lt;img src=x&gt; \\`c\\`\N{REPLACEMENT CHARACTER}d |" in text


def test_a_warning_about_the_scenario_is_repeated(write_run):
    text = card_of(write_run({"LoRA": 0.1}, {"1x": 1}), remark="the RTT was not set")
    assert text.endswith("\n\nRemark: the RTT was not set.\n")


def test_seeds_that_failed_are_said(write_run):
    lacking = [Emulation("LoRA", "1x", 2)]
    path = write_run({"LoRA": 0.1}, {"1x": 1}, seeds=(0, 1, 2), absent=lacking)
    text = card_of(path, seeds="[0, 1, 2]", failure="1 of 3 trainings failed")
    assert "Incomplete: 1 of 3 simulations of this method are missing.\n" in text
    assert "simulations of this run failed: 1 of 3 trainings failed.\n" in text
    (row,) = table(text, "## Results")
    assert row["seeds that reached it"] == "2 of 2"
