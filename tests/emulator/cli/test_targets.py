"""`report --targets` and `--budgets`, as the command line has them."""

import csv
import io
import json

import pytest
from click.testing import CliRunner

from emulator.cli import main


@pytest.fixture
def report(write_run):
    folder = write_run({"A": 0.1, "B": 0.05}, {"x": 1}).parent

    def reported(*args):
        result = CliRunner().invoke(main, ["report", str(folder), *args])
        return result.exit_code, result.stdout, result.stderr

    return reported


def test_a_range_or_a_list_in_every_format(report):
    code, out, _ = report("--targets", "40%:60%:10%", "--format", "json")
    assert code == 0
    rows = json.loads(out)
    assert [(r["method"], r["target"], r["time_s"]) for r in rows] == [
        ("A", 0.4, 16.0), ("A", 0.5, 20.0), ("A", 0.6, 24.0),
        ("B", 0.4, 32.0), ("B", 0.5, 40.0), ("B", 0.6, None),
    ]  # fmt: skip
    listed = csv.DictReader(io.StringIO(report("--targets", "40%,0.5,3/5", "--format", "csv")[1]))
    assert [row["target"] for row in listed] == ["0.4", "0.5", "0.6"] * 2
    assert "lowest time by accuracy: A from 0.4 to 0.6" in report("--targets", "40%:60%:10%")[1]


def test_budgets_are_times_and_sizes(report):
    code, out, _ = report("--budgets", "9 s, 15.5 kB", "--format", "json")
    assert code == 0
    first = json.loads(out)[:2]
    assert [(r["budget_s"], r["budget_bytes"], r["accuracy"]) for r in first] == [
        (9.0, None, 0.2), (None, 15500, pytest.approx(0.3))
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--targets", "half"], "found 'half'"),
        (["--targets", "50%:80%"], "found '50%:80%'"),
        (["--targets", "50%:80%:0"], "found '0'"),
        (["--targets", "1:1000:0.1"], "more than 1,000"),
        (["--targets", "50%,120%"], "an accuracy above 1"),
        (["--budgets", "30"], "found '30'; allowed: durations and sizes"),
        (["--budgets", "0 s"], "found '0 s'"),
        (["--budgets", "9s", "--targets", "50%"], "give one of them"),
        (["--targets", "50%", "--format", "files"], "table, json or csv"),
    ],
)
def test_what_cannot_be_read_is_refused(report, args, says):
    code, out, err = report(*args)
    assert (code, out) == (2, "")
    assert says in err
