"""Tables in four formats hold the same rows; near misses are named."""

import csv
import gzip
import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from flasc.common.errors import AssetError
from flasc.data import table

ROWS = [
    {"text": 'says "no", and\nmore', "label": "007", "user": "NA"},
    {"text": "Größe\tand tab", "label": "1", "user": ""},
    {"text": "null", "label": "-2", "user": "None"},
]
NAMES = list(ROWS[0])
printed = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=12)


def delimited(path, separator, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, NAMES, delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write(folder, kind, rows=ROWS):
    path = folder / f"rows.{kind}"
    match kind:
        case "csv" | "tsv":
            return delimited(path, {"csv": ",", "tsv": "\t"}[kind], rows)
        case "csv.gz":
            path.write_bytes(gzip.compress(delimited(folder / "raw", ",", rows).read_bytes()))
        case "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        case "jsonl.gz":
            path.write_bytes(gzip.compress(write(folder, "jsonl", rows).read_bytes()))
        case "parquet":
            pyarrow = pytest.importorskip("pyarrow")
            from pyarrow import parquet

            parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_every_format_holds_the_same_texts(kind, tmp_path):
    found = table.read(write(tmp_path, kind))
    assert len(found) == len(ROWS)
    assert [
        dict(zip(NAMES, row, strict=True)) for row in zip(*found.columns.values(), strict=True)
    ] == ROWS
    assert found.texts(["label", "user"], "task.text") == ["007\nNA", "1\n", "-2\nNone"]
    taken = found.take(np.array([2, 0]))
    assert taken.texts(["text"], "task.text") == [ROWS[2]["text"], ROWS[0]["text"]]


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, printed)), min_size=1, max_size=6))
def test_a_csv_file_loses_nothing(tmp_path_factory, rows):
    path = write(tmp_path_factory.mktemp("csv"), "csv", rows)
    found = table.read(path)
    assert {name: list(found.columns[name]) for name in NAMES} == {
        name: [row[name] for row in rows] for name in NAMES
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,label\nx,1,2\ny,1,2\n", "found rows of more than the header's 2 values"),
        ("a.csv", "text,label\nx,1\ny,1,2\n", "is not a table"),
        ("a.csv", "", "is not a table"),
        ("a.csv", "text,label\n", "found no rows"),
        ("a.csv", b"\xff\xfe", "cannot be read"),
        ("a.jsonl", '{"text": "x", "label": 1}\n[1]\n', r"line 2: found '\[1\]'"),
        ("a.jsonl", '{"text": "x"\n', "line 1: found"),
        ("a.jsonl", '{"text": "x", "label": null}\n', "row 1: found None in column 'label'"),
        ("a.jsonl", '{"text": ["x"], "label": 1}\n', "row 1: found .* in column 'text'"),
        (
            "a.jsonl",
            '{"texts": "x", "label": 1}\n',
            r"found no column 'text' \(key\); did you mean 'texts'",
        ),
        ("a.parquet", "x", "is not a Parquet file"),
        ("a.xls", "x", r"found a file of type '.xls'; allowed: .csv"),
        ("a.csv.gz", "x", "cannot be read"),
    ],
)
def test_what_is_no_table_is_named(name, content, message, tmp_path):
    if "parquet" in name:
        pytest.importorskip("pyarrow")
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(AssetError, match=message):
        table.read(path).texts(["text", "label"], "key")
