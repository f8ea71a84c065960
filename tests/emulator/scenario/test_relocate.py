"""Paths of a scenario that is written to another folder lead to the same files."""

import pytest

from emulator.scenario import document
from emulator.scenario.relocate import relocated

TEXT = """\
task: {name: own, data: ./texts, model: ./model}
network:
  clients:
    down: {kind: trace, file: traces/one.csv}
    up: {file: /elsewhere/two.csv}
    table: {file: traces/tests.csv, columns: {down: d}, where: {file: a.log}}
vary:
  place:
    here: {network.clients.down.file: traces/two.csv, task.model: ../other}
    hub: {task.model: owner/name}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("texts", "model", "runs/search"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def test_what_is_read_there_is_the_same_again(folder):
    (folder / "here.yaml").write_text(TEXT)
    data = document.load(folder / "here.yaml").data
    there = folder / "runs/search/there.yaml"
    there.write_text(document.dump(relocated(data, there.parent)))
    found = document.load(there).data
    clients = found["network"]["clients"]
    assert found["task"] == data["task"]
    assert found["vary"]["place"]["hub"] == {"task.model": "owner/name"}
    assert clients["up"]["file"] == "/elsewhere/two.csv"
    assert (folder / clients["table"]["file"]).resolve() == folder / "traces/tests.csv"
    assert clients["table"]["where"] == {"file": "a.log"}
    here = found["vary"]["place"]["here"]["network.clients.down.file"]
    for path in (clients["down"]["file"], here):
        assert (folder / path).resolve().parent == folder / "traces"


def test_a_folder_that_is_a_link_is_left_by_its_real_parent(folder):
    (folder / "link").symlink_to(folder / "runs/search")
    moved = relocated({"file": "traces/one.csv"}, folder / "link")
    assert (folder / "link" / moved["file"]).resolve() == folder / "traces/one.csv"
