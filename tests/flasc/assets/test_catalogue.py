"""Tiny wheels made here, real pip from a local folder, and the pinned files themselves."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from flasc.assets import catalogue
from flasc.assets.catalogue import ASSETS, Asset, File
from flasc.common.errors import AssetError
from flasc.models import inventory

CONTENT = b"one\ntwo\n"
MEMBER = "flasc_tiny/data/words.txt"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_wheel(folder: Path, members: dict[str, bytes] | None = None) -> Path:
    """A wheel that pip accepts; `members` come on top of its metadata."""
    folder.mkdir(exist_ok=True)
    path = folder / "flasc_tiny-1.0-py3-none-any.whl"
    info = "flasc_tiny-1.0.dist-info"
    metadata = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: flasc-tiny\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (
            metadata | ({MEMBER: CONTENT} if members is None else members)
        ).items():
            archive.writestr(name, content)
    return path


def tiny(wheel: Path, content: bytes = CONTENT, kind: str = "data") -> Asset:
    words = File("words.txt", len(content), sha256(content))
    pin, folder = sha256(wheel.read_bytes()), "flasc_tiny/data"
    return Asset("tiny", kind, "flasc-tiny", "1.0", pin, folder, (words,), "CC0")


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """The tiny wheel, in the only place where pip may look."""
    path = make_wheel(tmp_path / "wheels")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    monkeypatch.setitem(ASSETS, "tiny", tiny(path))
    return path


def run(code: str, env: dict[str, str]) -> str:
    return subprocess.check_output([sys.executable, "-c", code], env=env, text=True)


def leftovers(cache: Path) -> list[str]:
    return [p.name for p in cache.glob("partial-*")] if cache.exists() else []


def test_locate_fetches_once(wheel, tmp_path, monkeypatch):
    cache, said = tmp_path / "cache", []
    folder = catalogue.locate("tiny", cache=cache, notify=said.append)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"words.txt": CONTENT}
    assert len(said) == 1
    assert "flasc-tiny==1.0" in said[0]
    assert not leftovers(cache)
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: pytest.fail("pip was called"))
    assert catalogue.locate("tiny", cache=cache, notify=said.append) == folder
    assert len(said) == 1


def test_an_incomplete_folder_is_fetched_again(wheel, tmp_path):
    folder = catalogue.install("tiny", wheel, cache=tmp_path / "cache")
    (folder / "words.txt").write_bytes(CONTENT[:3])
    assert not inventory.status(tmp_path / "cache")[-1].cached
    assert catalogue.locate("tiny", cache=tmp_path / "cache") == folder
    assert (folder / "words.txt").read_bytes() == CONTENT


def test_a_new_pin_does_not_meet_the_files_of_the_old_one(wheel, tmp_path, monkeypatch):
    old = catalogue.install("tiny", wheel, cache=tmp_path / "cache")
    other = make_wheel(tmp_path / "other", {MEMBER: b"six\nten\n"})
    monkeypatch.setitem(ASSETS, "tiny", tiny(other, b"six\nten\n"))
    assert catalogue.install("tiny", other, cache=tmp_path / "cache") != old


def test_another_wheel_is_refused(wheel, tmp_path):
    make_wheel(wheel.parent, {MEMBER: CONTENT, "more": b"!"})
    with pytest.raises(AssetError, match="SHA-256") as caught:
        catalogue.locate("tiny", cache=tmp_path / "cache")
    assert ASSETS["tiny"].sha256 in caught.value.message
    assert sha256(wheel.read_bytes()) in caught.value.message
    assert not inventory.status(tmp_path / "cache")[-1].cached
    assert not leftovers(tmp_path / "cache")


@pytest.mark.parametrize("content", [b"six\nten\n", CONTENT + b"x" * 10_000, b"", CONTENT[:-1]])
def test_another_member_is_refused(wheel, tmp_path, monkeypatch, content):
    other = make_wheel(tmp_path / "other", {MEMBER: content})
    monkeypatch.setitem(ASSETS, "tiny", tiny(other))
    with pytest.raises(AssetError, match=r"words\.txt is not the file"):
        catalogue.install("tiny", other, cache=tmp_path / "cache")


def test_nothing_lands_outside_and_links_are_not_followed(tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    evil = dict.fromkeys(["../evil", f"{MEMBER}/../../evil", "/evil"], b"!")
    hostile = make_wheel(tmp_path / "wheels", {**evil, MEMBER: CONTENT})
    monkeypatch.setitem(ASSETS, "tiny", tiny(hostile))
    cache = tmp_path / "cache"
    folder = catalogue.install("tiny", hostile, cache=cache)
    assert [p.name for p in folder.iterdir()] == ["words.txt"]
    assert not list(tmp_path.rglob("evil"))

    linked = make_wheel(tmp_path / "linked", {})
    with zipfile.ZipFile(linked, "a") as archive:
        link = zipfile.ZipInfo(MEMBER)
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, str(secret))
    monkeypatch.setitem(ASSETS, "tiny", tiny(linked))
    with pytest.raises(AssetError, match="is not the file"):
        catalogue.install("tiny", linked, cache=cache)


@pytest.mark.parametrize("broken", [b"no zip at all", None])
def test_a_wheel_without_the_files_is_refused(tmp_path, monkeypatch, broken):
    path = make_wheel(tmp_path / "wheels", {})
    if broken:
        path.write_bytes(broken)
    monkeypatch.setitem(ASSETS, "tiny", tiny(path))
    with pytest.raises(AssetError, match=r"is not the wheel of flasc-tiny==1\.0"):
        catalogue.install("tiny", path, cache=tmp_path / "cache")


def test_offline_says_what_to_do(wheel, tmp_path):
    wheel.unlink()
    with pytest.raises(AssetError, match="pip said: ERROR: No matching distribution") as caught:
        catalogue.locate("tiny", cache=tmp_path / "cache")
    assert "pip download --no-deps flasc-tiny==1.0" in caught.value.hint
    assert "flasc-emu assets install tiny" in caught.value.hint
    assert not leftovers(tmp_path / "cache")


def test_without_pip(wheel, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(AssetError, match="has no pip") as caught:
        catalogue.locate("tiny", cache=tmp_path / "cache")
    assert "ensurepip" in caught.value.hint


def test_a_full_disk_and_a_file_in_the_way(wheel, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(AssetError, match="cannot keep 'tiny'") as caught:
        catalogue.install("tiny", wheel, cache=tmp_path / "file")
    assert "FLASC_EMU_CACHE" in caught.value.hint

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(AssetError, match="No space left"):
        catalogue.install("tiny", wheel, cache=tmp_path / "cache")
    assert not leftovers(tmp_path / "cache")


def test_install_needs_no_pip(wheel, tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: pytest.fail("pip was called"))
    folder = catalogue.install("tiny", wheel, cache=tmp_path / "cache")
    assert (folder / "words.txt").read_bytes() == CONTENT
    with pytest.raises(AssetError, match="found no file"):
        catalogue.install("tiny", tmp_path / "nowhere.whl", cache=tmp_path / "cache")


ASK = """
import subprocess, sys
from pathlib import Path
from flasc.assets import catalogue as assets
from flasc.assets.catalogue import Asset, File

pip = subprocess.run
cache, calls = Path(sys.argv[1]), Path(sys.argv[2])

def counted(*args, **kwargs):
    with calls.open("a") as file:
        file.write("x")
    return pip(*args, **kwargs)

subprocess.run = counted
assets.ASSETS["tiny"] = eval(sys.argv[3])
print(assets.locate("tiny", cache=cache))
"""


def test_two_processes_fetch_once(wheel, tmp_path):
    calls = tmp_path / "calls"
    arguments = ["-c", ASK, str(tmp_path / "cache"), str(calls), repr(ASSETS["tiny"])]
    command = [sys.executable, *arguments]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert calls.read_text() == "x"
    (folder,) = folders
    assert (Path(folder) / "words.txt").read_bytes() == CONTENT


def test_unknown_names():
    with pytest.raises(AssetError, match="allowed: minilm, 20newsgroups") as caught:
        catalogue.locate("20newsgroup")
    assert caught.value.hint == "did you mean '20newsgroups'?"


def test_the_table_is_well_formed():
    for asset in ASSETS.values():
        assert asset.kind in {"model", "data"}
        assert all(len(pinned.sha256) == 64 for pinned in (asset, *asset.files))
        assert all(file.name == Path(file.name).name for file in asset.files)


def test_importing_it_is_light():
    code = "import sys, flasc.assets.catalogue\n"
    code += "print({'torch', 'transformers', 'huggingface_hub', 'numpy'} & set(sys.modules))"
    assert run(code, dict(os.environ)).strip() == "set()"


@pytest.mark.real
@pytest.mark.parametrize("name", list(ASSETS))
def test_the_pinned_files(name):
    try:
        folder = catalogue.locate(name)
    except AssetError as error:
        if ASSETS[name].registry == "debian":  # no apt here, or one without a list of packages
            pytest.skip(error.message)
        raise
    for file in ASSETS[name].files:
        content = (folder / file.name).read_bytes()
        assert (len(content), sha256(content)) == (file.nbytes, file.sha256)
