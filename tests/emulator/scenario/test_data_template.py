"""`new --data` guesses what a table holds, and says what it found."""

import json

import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.runner import inputs


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*args):
    return CliRunner().invoke(main, ["new", *map(str, args)])


def write(folder, name, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / name).write_text(text)
    return name


REVIEWS = [
    {"id": i, "Review": f"quite a long text, number {i}", "stars": i % 5, "author": f"u{i % 9}"}
    for i in range(90)
]
ASKED = [{"instruction": f"say {i}", "output": str(i)} for i in range(90)]
CHATS = [
    {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}
] * 9


def test_labelled_texts_of_users(folder):
    name = write(folder, "reviews.jsonl", REVIEWS)
    assert new("mine.yaml", "--data", name).exit_code == 0
    task = inputs.read(folder / "mine.yaml").scenario.task
    assert (task.name, task.text, task.label, task.clients) == ("text_file", "Review", "stars", 9)
    assert (task.split.kind, task.split.column, task.tokens) == ("natural", "author", 32)
    assert "# columns: id, Review, stars, author" in (folder / "mine.yaml").read_text()


def test_columns_of_any_name(folder):
    rows = [{"a": f"words and words {i}", "b": "xy"[i % 2], "c": i} for i in range(40)]
    assert new("mine.yaml", "--data", write(folder, "rows.jsonl", rows)).exit_code == 0
    task = inputs.read(folder / "mine.yaml").scenario.task
    assert (task.text, task.label, task.split.kind) == ("a", "b", "dirichlet")


@pytest.mark.parametrize(
    ("rows", "prompt", "messages"), [(ASKED, "instruction", None), (CHATS, "prompt", "messages")]
)
def test_prompts_and_chats_need_a_model(folder, rows, prompt, messages):
    name = write(folder, "rows.jsonl", rows)
    failed = new("mine.yaml", "--data", name)
    assert failed.exit_code == 2
    assert "no --model" in failed.output
    assert not (folder / "mine.yaml").exists()
    assert new("deep/mine.yaml", "--data", name, "--model", "owner/name").exit_code == 0
    scenario = inputs.read(folder / "deep/mine.yaml").scenario
    assert (scenario.task.prompt, scenario.task.messages) == (prompt, messages)
    assert scenario.task.missing_data() == ""
    assert str(scenario.training.target.goal) == "20.00"
    assert scenario.metric_measure == "falling"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--data", "no.csv"], "cannot be read"),
        (["--model", "minilm"], "--model without --data"),
        (["--data", "no.csv", "--from", "quick"], "--data and --from"),
    ],
)
def test_mistakes(args, message):
    found = new("mine.yaml", *args)
    assert found.exit_code == 2
    assert message in found.output


def test_a_table_that_is_neither(folder):
    found = new("mine.yaml", "--data", write(folder, "rows.jsonl", [{"text": "x"}] * 9))
    assert found.exit_code == 2
    assert "texts and labels, or prompts and answers" in found.output
