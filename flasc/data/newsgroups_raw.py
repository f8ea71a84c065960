"""20 Newsgroups as in FLASC's public code: with headers, footers and quotes.

18,846 documents, 'bydate': 11,314 for training and 7,532 for the test. They are read from a folder
with the files of the original archive (20news-bydate-train/CLASS/NUMBER and 20news-bydate-test), or
by scikit-learn, which fetches that archive into its own cache.
"""

from pathlib import Path

from flasc.assets.packages import Notify
from flasc.common.errors import AssetError
from flasc.data import hub
from flasc.data.newsgroups import CLASSES, Corpus, Rows, split_corpus

EDITION = "raw (bydate; headers, footers and quotes kept)"
DOCUMENTS = {"train": 11_314, "test": 7_532}


def read_folder(folder: Path, split: str) -> Rows:
    """The documents of the original archive, decoded as Latin-1. Raises AssetError."""
    root = folder / f"20news-bydate-{split}"
    try:
        files = [path for path in root.glob("*/*") if path.is_file()]
        return [(path.parent.name, path.read_bytes().decode("latin-1")) for path in files]
    except OSError as error:
        raise AssetError(f"{root}: cannot be read: {error}") from error


def fetch(split: str, notify: Notify) -> Rows:
    """The same documents from scikit-learn. Raises AssetError if it is missing or cannot fetch."""
    try:
        from sklearn.datasets import fetch_20newsgroups
    except ImportError as error:
        raise AssetError(
            f"the raw edition needs scikit-learn: {error}",
            f"run `{hub.EXTRA}`, or give task.data a folder with the original archive's files",
        ) from error
    notify(f"fetching 20 Newsgroups ({split})")
    try:
        found = fetch_20newsgroups(subset=split)
    except OSError as error:  # the base class of its download errors
        raise AssetError(
            f"scikit-learn cannot fetch 20 Newsgroups: {error}",
            "give task.data a folder with the original archive's files",
        ) from error
    return [(found.target_names[t], text) for t, text in zip(found.target, found.data, strict=True)]


def load(data: str | None, notify: Notify) -> Corpus:
    """The corpus, split like the other edition: 9,051, 2,263 and 7,532 documents.

    Documents are sorted by class and text before they are shuffled, so every source gives the same
    splits. Raises AssetError if documents or classes are missing.
    """
    rows = {
        split: sorted(fetch(split, notify) if data is None else read_folder(Path(data), split))
        for split in DOCUMENTS
    }
    found = {split: len(documents) for split, documents in rows.items()}
    classes = tuple(sorted({name for name, _ in rows["train"]}))
    if found != DOCUMENTS or len(classes) != CLASSES or {c for c, _ in rows["test"]} - {*classes}:
        raise AssetError(
            f"20 Newsgroups, raw: found {found} documents in {len(classes)} classes; "
            f"expected {DOCUMENTS} in {CLASSES}",
            "give task.data the folder with 20news-bydate-train and 20news-bydate-test in it",
        )
    return split_corpus(rows, classes, EDITION)
