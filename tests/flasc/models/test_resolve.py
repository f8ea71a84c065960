"""Models by name, in a folder, and on the hub."""

import os
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest

from flasc.common.errors import AssetError
from flasc.models import resolve


def run(code: str, env: dict[str, str]) -> str:
    return subprocess.check_output([sys.executable, "-c", code], env=env, text=True)


def test_resolve_model_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(resolve, "locate", lambda name, **_: tmp_path / name)
    assert resolve.resolve_model("minilm") == tmp_path / "minilm"


def test_resolve_model_in_a_local_folder(tmp_path):
    with pytest.raises(AssetError, match=r"a folder without config\.json"):
        resolve.resolve_model(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    assert resolve.resolve_model(str(tmp_path)) == tmp_path


@pytest.mark.parametrize(
    "model",
    ["./nowhere", "/nowhere", "~nobody-at-all/x", "./" + 300 * "a", "a/b/c", "a b", "20newsgroups"],
)
def test_resolve_model_refuses_other_text(model):
    with pytest.raises(AssetError, match="no such model or folder") as caught:
        resolve.resolve_model(model)
    assert "minilm" in caught.value.hint


def test_resolve_model_on_the_hub(tmp_path, monkeypatch):
    asked = []

    def snapshot(name, *, revision, allow_patterns):
        asked.append((name, revision))
        assert "*.bin" not in allow_patterns
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(AssetError, match="no safetensors"):
        resolve.resolve_model("gpt2")
    (tmp_path / "model.safetensors").touch()
    assert resolve.resolve_model("gpt2") == tmp_path
    assert resolve.resolve_model("org/name@v1.0") == tmp_path
    assert asked[1:] == [("gpt2", None), ("org/name", "v1.0")]


def test_resolve_model_offline(tmp_path):
    """The real huggingface_hub, told to stay offline: only its cache answers."""
    repo = tmp_path / "hub/models--org--name"
    snapshot = repo / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (snapshot / "model.safetensors").touch()
    (repo / "refs").mkdir()
    (repo / "refs/main").write_text("a" * 40)
    code = """
from flasc.models.resolve import resolve_model
from flasc.common.errors import AssetError
print(resolve_model("org/name"))
try:
    resolve_model("minillm")
except AssetError as error:
    print(error.hint)
"""
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "hub")}
    found, hint = run(code, env).splitlines()
    assert Path(found) == snapshot
    assert hint.startswith("did you mean 'minilm'?")
