"""Stand-ins pretrained on small data: whole or not at all, the same again, named by settings."""

import dataclasses
import json

import pytest
import torch
from safetensors.numpy import load_file

from flasc.models import inventory, pretraining, resolve, standins
from flasc.models.pretrained import identity, pretrained
from flasc.models.standins import SUBSTITUTES

FILES = {"fashion-vit": "garments", "scenes-vit": "garments", "friends-gpt2": "transcripts"}
every_standin = pytest.mark.parametrize("name", FILES)


@pytest.fixture
def data(request, name):
    return request.getfixturevalue(FILES[name])


def test_every_standin_is_here():
    assert set(FILES) == set(SUBSTITUTES) == set(pretraining.TASKS)


@every_standin
def test_it_is_made_once_and_the_same_again(name, data, tmp_path):
    said = []
    folder = resolve.resolve_model(name, cache=tmp_path / "one", notify=said.append)
    assert len(said) == SUBSTITUTES[name].epochs
    assert resolve.resolve_model(name, cache=tmp_path / "one", notify=said.append) == folder
    assert len(said) == SUBSTITUTES[name].epochs
    again = resolve.resolve_model(name, cache=tmp_path / "two")
    one, other = ((f / "model.safetensors").read_bytes() for f in (folder, again))
    assert one == other
    rows = {row.name: row.cached for row in inventory.status(tmp_path / "one")}
    assert [n for n, cached in rows.items() if cached] == [name]


@every_standin
def test_it_has_the_size_that_is_said_and_has_learned(name, data, tmp_path, monkeypatch):
    monkeypatch.setitem(SUBSTITUTES, name, dataclasses.replace(SUBSTITUTES[name], epochs=20))
    folder = resolve.resolve_model(name, cache=tmp_path)
    weights = load_file(folder / "model.safetensors")
    assert sum(w.size for w in weights.values()) == SUBSTITUTES[name].parameters
    about = json.loads((folder / "pretraining.json").read_text())
    assert about["settings"] == SUBSTITUTES[name].digest
    assert f"substitute model {name} (settings {SUBSTITUTES[name].digest[:12]}" in identity(folder)
    losses = about["loss of each epoch, nats"]
    assert losses[-1] < losses[0]
    head = "causal" if "gpt2" in name else "image"
    assert sum(p.numel() for p in pretrained(folder, head, 10, key=0).parameters()) > 0


def test_other_settings_are_another_folder(tmp_path):
    one = SUBSTITUTES["fashion-vit"]
    assert dataclasses.replace(one, epochs=7).folder(tmp_path) != one.folder(tmp_path)
    assert dataclasses.replace(one, description="x").folder(tmp_path) == one.folder(tmp_path)


def test_ctrl_c_leaves_nothing_behind(garments, tmp_path, monkeypatch):
    cache = tmp_path / "cache"

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(pretraining, "fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            standins.locate("fashion-vit", cache=cache)
    assert not [path for path in cache.iterdir() if path.suffix != ".lock"]
    assert standins.complete(standins.locate("fashion-vit", cache=cache))


def test_no_draw_leaks_out(garments, tmp_path):
    before = torch.random.get_rng_state()
    standins.locate("fashion-vit", cache=tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)
