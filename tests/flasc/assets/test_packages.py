"""Debian packages made here, a replaced apt, and folders of the original files."""

import dataclasses
import gzip
import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from flasc.assets import catalogue
from flasc.assets.catalogue import ASSETS, Asset, File
from flasc.common.errors import AssetError

CONTENT = b"one\ntwo\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def leftovers(cache: Path) -> list[str]:
    return [p.name for p in cache.glob("partial-*")] if cache.exists() else []


def ar(members: dict[str, bytes]) -> bytes:
    """An ar archive, as ar(5) has it."""
    parts = [b"!<arch>\n"]
    for name, content in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        parts += [header, content, b"\n" * (len(content) % 2)]
    return b"".join(parts)


@pytest.fixture
def deb(tmp_path, monkeypatch):
    """A Debian package with words.txt.gz in it, behind a member of odd length."""
    packed = gzip.compress(CONTENT)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:xz") as archive:
        info = tarfile.TarInfo("./usr/share/tiny/words.txt.gz")
        info.size = len(packed)
        archive.addfile(info, io.BytesIO(packed))
    members = {"debian-binary": b"2.0", "data.tar.xz": content.getvalue()}
    path = tmp_path / "tiny_1.0_all.deb"
    path.write_bytes(ar(members))
    words = File("words.txt", len(CONTENT), sha256(CONTENT))
    pin = sha256(path.read_bytes())
    asset = Asset("tiny", "data", "tiny", "1.0", pin, "usr/share/tiny", (words,), "CC0",
                  registry="debian")  # fmt: skip
    monkeypatch.setitem(ASSETS, "tiny", asset)
    return path


def test_install_from_a_debian_package(deb, tmp_path):
    folder = catalogue.install("tiny", deb, cache=tmp_path / "cache")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"words.txt": CONTENT}
    deb.write_bytes(deb.read_bytes() + b" ")
    with pytest.raises(AssetError, match="SHA-256"):
        catalogue.install("tiny", deb, cache=tmp_path / "other")


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive at all" * 9, ar({"debian-binary": b"2"}), ar({"data.tar.xz": b"no"})],
)
def test_what_is_no_debian_package_is_refused(deb, tmp_path, monkeypatch, content):
    deb.write_bytes(content)
    pinned = dataclasses.replace(ASSETS["tiny"], sha256=sha256(content))
    monkeypatch.setitem(ASSETS, "tiny", pinned)
    with pytest.raises(AssetError, match=r"is not the package of tiny=1\.0"):
        catalogue.install("tiny", deb, cache=tmp_path / "cache")
    assert not leftovers(tmp_path / "cache")


def test_apt_fetches_a_debian_package(deb, tmp_path, monkeypatch):
    def apt(command, *, cwd, **_):
        assert command == ["apt-get", "download", "tiny=1.0"]
        shutil.copy(deb, cwd)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", apt)
    folder = catalogue.locate("tiny", cache=tmp_path / "cache")
    assert (folder / "words.txt").read_bytes() == CONTENT


def test_apt_without_a_list_of_packages(deb, tmp_path, monkeypatch):
    refused = subprocess.CompletedProcess([], 100, "", "E: Unable to locate package tiny\n")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    with pytest.raises(AssetError, match="apt-get said: E: Unable to locate") as caught:
        catalogue.locate("tiny", cache=tmp_path / "cache")
    assert caught.value.hint.startswith("run `apt-get update` once")


def test_without_apt(deb, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(AssetError, match="found no apt-get") as caught:
        catalogue.locate("tiny", cache=tmp_path / "cache")
    assert "apt-get download tiny=1.0" in caught.value.hint
    assert "FILE.deb" in caught.value.hint


@pytest.mark.parametrize("packed", [True, False])
def test_install_from_a_folder_of_the_original_files(deb, tmp_path, packed):
    folder = tmp_path / "original"
    folder.mkdir()
    with pytest.raises(AssetError, match="found neither"):
        catalogue.install("tiny", folder, cache=tmp_path / "cache")
    name, content = ("words.txt.gz", gzip.compress(CONTENT)) if packed else ("words.txt", CONTENT)
    (folder / name).write_bytes(content)
    found = catalogue.install("tiny", folder, cache=tmp_path / "cache")
    assert (found / "words.txt").read_bytes() == CONTENT
    (folder / name).write_bytes(gzip.compress(b"other") if packed else b"other")
    with pytest.raises(AssetError, match="SHA-256"):
        catalogue.install("tiny", folder, cache=tmp_path / "another")
