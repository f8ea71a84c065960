"""A user's own table: its parts, its labels, who holds what, and mistakes."""

import csv
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from flasc.common.errors import AssetError
from flasc.data.partition import PartitionError
from flasc.training import settings as config
from flasc.training.shared_models import SharedModels


@pytest.fixture
def build(tmp_path, models):
    """Settings of a task over rows that are written as JSON Lines, or over a given file."""

    def make(rows=None, name="text_file", **keys):
        given = {"name": name, "model": str(models("gpt2")), "clients": 3, "tokens": 24}
        if rows is not None:
            path = tmp_path / "rows.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            given["file"] = str(path)
        return TypeAdapter(config.Task).validate_python(given | keys)

    return make


def load(settings, tmp_path, seed=0, notes=None):
    return settings.load(seed, tmp_path / "cache", ([] if notes is None else notes).append)


def rows(n=40, **more):
    return [
        {"text": f"row {i}", "label": "ab"[i % 2], **{k: of(i) for k, of in more.items()}}
        for i in range(n)
    ]


def ids(examples):
    return {tuple(row) for row in examples.features["input_ids"].tolist()}


def test_rows_are_drawn_once_for_each_part(build, tmp_path):
    task = load(build(rows(), held_out=0.2), tmp_path)
    parts = [task.train, task.validation, task.test]
    assert [len(part) for part in parts] == [24, 8, 8]
    assert len(set.union(*map(ids, parts))) == 40
    again = load(build(rows(), held_out=0.2), tmp_path, seed=1)
    assert ids(again.test) == ids(task.test)


def test_a_column_says_which_part(build, tmp_path):
    names = ["train", "TRAIN", "dev", "test", "training"]
    task = load(build(rows(part=lambda i: names[i % 5]), part="part"), tmp_path)
    assert [len(part) for part in (task.train, task.validation, task.test)] == [24, 8, 8]
    no_test = [
        row | {"part": "train" if row["part"] == "test" else row["part"]}
        for row in rows(part=lambda i: names[i % 5])
    ]
    task = load(build(no_test, part="part", held_out=0.25), tmp_path)
    assert [len(part) for part in (task.train, task.validation, task.test)] == [24, 8, 8]
    with pytest.raises(AssetError, match=r"row 2: found 'later' in column 'part'"):
        load(build(rows(part=lambda i: ["train", "later"][i % 2]), part="part"), tmp_path)


def test_files_of_their_own_hold_the_other_parts(build, tmp_path, letters):
    other = tmp_path / "other.csv"
    with other.open("w", newline="") as file:
        csv.writer(file).writerows([("body", "kind"), ("new", "cat"), ("newer", "the")])
    keys = {"text": "body", "label": "kind", "file": str(letters)}
    task = load(build(**keys, validation_file=str(other), held_out=0.1), tmp_path)
    assert [len(part) for part in (task.train, task.validation, task.test)] == [108, 2, 12]


def test_labels_are_in_order_of_their_numbers(build, tmp_path):
    numbered = [row | {"label": str(10 - i % 3)} for i, row in enumerate(rows())]
    assert load(build(numbered), tmp_path).classes == ["8", "9", "10"]
    assert load(
        build([row | {"label": i % 3} for i, row in enumerate(rows())]), tmp_path
    ).classes == ["0", "1", "2"]
    with pytest.raises(AssetError, match="allowed: two or more"):
        load(build([row | {"label": "same"} for row in rows()]), tmp_path)
    with pytest.raises(AssetError, match="found no label in column 'label'"):
        load(build([row | {"label": ""} for row in rows()]), tmp_path)


def test_several_labels_of_a_row(build, tmp_path):
    names = [["a"], ["a", "b"], [], ["c"]]
    listed = [row | {"label": names[i % 4]} for i, row in enumerate(rows())]
    joined = [row | {"label": "; ".join(names[i % 4])} for i, row in enumerate(rows())]
    one = load(build(listed, multi_label=True), tmp_path)
    other = load(build(joined, multi_label=True, separator=";"), tmp_path)
    assert one.classes == other.classes == ["a", "b", "c"]
    assert np.array_equal(one.train.labels, other.train.labels)
    assert one.train.labels.sum(1).max() == 2
    assert one.objective.metric == "micro F1"


def test_users_are_clients(build, tmp_path):
    by_user = rows(user=lambda i: f"u{i % 5}")
    settings = build(by_user, split={"kind": "natural", "column": "user"}, clients=5)
    task = load(settings, tmp_path)
    assert sum(map(len, task.clients)) == len(task.train)
    one = {i for i, row in enumerate(by_user) if row["user"] == "u0"}
    texts = {tuple(task.train.features["input_ids"][i].tolist()) for i in task.clients[0]}
    assert 0 < len(texts) <= len(one)
    with pytest.raises(PartitionError, match="found 6 clients for 5 users"):
        load(build(by_user, split={"kind": "natural", "column": "user"}, clients=6), tmp_path)
    with pytest.raises(AssetError, match="did you mean 'user'"):
        load(build(by_user, split={"kind": "natural", "column": "users"}), tmp_path)


def test_instructions_may_be_chats(build, tmp_path):
    chats = [
        {"chat": [{"role": "user", "content": f"say {i}"}, {"role": "assistant", "content": "yes"}]}
        for i in range(30)
    ]
    chats[4]["chat"][0]["content"] = "the cat " * 60
    notes: list[str] = []
    task = load(build(chats, "instructions", messages="chat", tokens=48), tmp_path, notes=notes)
    assert sum(map(len, (task.train, task.validation, task.test))) == 29
    assert sum("1 of " in note and "left out" in note for note in notes) == 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "found neither file nor data"),
        ({"file": "a.csv", "data": "owner/name"}, "found file and data"),
        ({"data": "owner/name", "test_file": "a.csv"}, "found validation_file or test_file"),
        ({"file": "a.csv", "subset": "sst2"}, "found subset with file"),
        ({"file": "a.csv", "held_out": 0.5}, "below 1/2"),
        ({"file": "a.csv", "split": {"kind": "natural"}}, "found natural without column"),
        ({"file": "a.csv", "multi_label": True, "scored_by": "accuracy"}, "allowed: micro F1"),
        ({"file": "a.csv", "scored_by": "micro F1"}, "allowed: accuracy or macro F1"),
        (
            {"name": "instructions", "file": "a.csv", "split": {"kind": "dirichlet"}},
            "without column",
        ),
    ],
)
def test_keys_that_do_not_fit(build, keys, message):
    with pytest.raises(ValidationError, match=message):
        build(**keys)


def test_the_content_of_a_file_identifies_it_and_not_its_name(build, tmp_path, letters):
    keys = {"text": "body", "label": "kind"}
    here, moved = build(file=str(letters), **keys), letters.with_name("moved.csv")
    before = here.data_at_hand()
    assert before.startswith("data SHA-256 ")
    moved.write_bytes(letters.read_bytes())
    assert build(file=str(moved), **keys).data_at_hand() == before
    assert build(file=str(moved), **keys).model_dump() == here.model_dump()
    moved.write_text("body,kind\n" + "x,a\ny,b\n" * 10)
    other = build(file=str(moved), **keys)
    assert other.data_at_hand() != before
    shared = SharedModels()
    tasks = [shared.task(each, 0, tmp_path / "cache", lambda _: None) for each in (here, other)]
    assert [len(task.classes) for task in tasks] == [3, 2]
    moved.unlink()
    assert other.data_at_hand() == ""
    assert "no such file" in other.missing_data()
    assert here.missing_data() == ""


def test_the_hub_gives_its_splits_and_names_its_classes(build, tmp_path, monkeypatch):
    class Rows(dict):
        @property
        def features(self):
            return {"text": SimpleNamespace(), "label": SimpleNamespace(names=["bad", "good"])}

    def split(n):
        return Rows(text=[f"text {i}" for i in range(n)], label=[i % 2 for i in range(n)])

    def load_dataset(name, subset, *, revision):
        assert (name, subset, revision) == ("owner/name", "part", "v1")
        return {"train": split(30), "dev": split(6), "unlabelled": split(9)}

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    task = load(build(data="owner/name@v1", subset="part"), tmp_path)
    assert task.classes == ["bad", "good"]
    assert [len(part) for part in (task.train, task.validation, task.test)] == [27, 6, 3]
    assert task.edition == "owner/name@v1, part"
