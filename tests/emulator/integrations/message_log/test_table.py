"""The same records in CSV."""

import csv
import io

import pytest
from hypothesis import given, settings, strategies as st

from emulator.common.errors import MessageLogError
from emulator.integrations.message_log import read
from emulator.integrations.message_log.table import COLUMNS

HEAD = "# flasc_emu_message_log: 1\n# run: my run\n# method: FedAvg\n# clients: 9\n# target: 0.5\n"
TABLE = """\
kind,round,client,bytes_down,bytes_up,seconds,failed,value
visit,1,7,1000,500,2.5,,
visit,1,b,1000,,,true,
score,1,,,,,,0.25
"""


@pytest.fixture
def table(tmp_path):
    """Writes a text as a log in CSV; gives its path."""

    def written(text):
        path = tmp_path / "log.csv"
        path.write_bytes(text.encode())
        return path

    return written


def refusal(path):
    with pytest.raises(MessageLogError) as caught:
        read(path)
    return caught.value.message.replace(str(path), "LOG")


def test_the_records_of_a_table(table):
    log = read(table(HEAD + TABLE))
    assert (log.header.run, log.header.clients, log.header.target) == ("my run", 9, 0.5)
    first, second = log.visits
    assert (first.client, first.bytes_up, first.seconds, first.failed) == ("7", 500, 2.5, False)
    assert (second.client, second.bytes_up, second.failed) == ("b", 0, True)
    assert log.scores[0].value == 0.25


def test_a_line_without_a_colon_is_a_comment(table):
    assert read(table("# save as log.csv\n" + HEAD + TABLE)) == read(table(HEAD + TABLE))


def test_windows_line_ends_and_a_mark_at_the_start(table):
    plain = read(table(HEAD + TABLE))
    other = read(table("\ufeff" + (HEAD + TABLE).replace("\n", "\r\n")))
    assert other == plain


def test_without_a_column_kind_each_row_is_a_visit(table):
    log = read(table(HEAD + "round,client,bytes_down,bytes_up\n1,7,10,5\n"))
    assert len(log.visits) == 1


def test_csv_and_jsonl_of_the_same_records_have_one_digest(table, tmp_path):
    log = read(table(HEAD + TABLE))
    path = tmp_path / "same.jsonl"
    path.write_text(log.text)
    assert read(path).digest == log.digest


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("visit,x,7,10,5,,,", "LOG:7: column 2, round: found 'x'; allowed: a whole number"),
        ("visit,1.0,7,10,5,,,", "LOG:7: column 2, round: found '1.0'; allowed: a whole number"),
        ("visit,1_0,7,10,5,,,", "LOG:7: column 2, round: found '1_0'; allowed: a whole number"),
        ("visit,1,7,10,5,1_0,,", "LOG:7: column 6, seconds: found '1_0'; allowed: a number"),
        ("visit,1,7,10,5,nan,,", "LOG:7: column 6, seconds: found 'nan'; allowed: a number"),
        ("visit,1,7,10,5,,perhaps,", "LOG:7: column 7, failed: found 'perhaps'; allowed: true or"),
        ("visit,1,,10,5,,,", "LOG:7: column 3, client: missing"),
        ("visit,1,7,10,,,,", "LOG:7: column 5, bytes_up: missing"),
        ("visit,1,7,10,5,,,0.5", "LOG:7: column 8, value: unknown field; allowed: kind, round"),
        ("score,1,,,,,,70", "LOG:7: column 8, value: found 70; allowed: a number from 0 to 1; div"),
        ("vist,1,7,10,5,,,", "LOG:7: column 1, kind: found 'vist'; did you mean 'visit'?"),
        ("visit,1,7", "LOG:7: found 3 cells; allowed: 8, one per column"),
        ('visit,1,"7,10,5,,,', "LOG:7: found no CSV"),
    ],
)
def test_a_row_that_is_wrong(table, row, said):
    names = TABLE.split("\n", 1)[0]
    assert refusal(table(f"{HEAD}{names}\n{row}\n")).startswith(said)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("", "LOG:1: found no '# flasc_emu_message_log: 1' at the beginning"),
        (HEAD.replace("log: 1", "log: x"), "LOG:1: flasc_emu_message_log: found version 'x'"),
        (HEAD.replace(": 9", ": many"), "LOG:1: line 4, clients: found 'many'; allowed: a who"),
        (HEAD.replace("0.5", "half"), "LOG:1: line 5, target: found 'half'; allowed: a number"),
        (HEAD + "# run: again\n", "LOG:6: run: found twice"),
        (HEAD + "# colour: red\n", "LOG:1: line 6, colour: unknown field"),
    ],
)
def test_a_head_that_is_wrong(table, head, said):
    assert refusal(table(head + TABLE)).startswith(said)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("kind,rounds", "LOG:6: column 2: found 'rounds'; did you mean 'round'?"),
        ("round,round", "LOG:6: column 2: found round twice"),
        ("kind;round", "LOG:6: column 1: found 'kind;round'"),
        ("", "LOG: found no column names"),
    ],
)
def test_columns_that_are_wrong(table, names, said):
    assert refusal(table(f"{HEAD}{names}\n")).startswith(said)


def test_a_last_row_that_is_cut_off_is_left_out_and_told(table):
    path = table(HEAD + TABLE + "visit,2,7,1000")
    log = read(path)
    assert log.rounds == 1
    assert log.remarks == (f"{path}:10: the last line is cut off: it is left out",)
    path = table(HEAD + TABLE + "visit,2,7,1000,500,,,")
    assert read(path).rounds == 2
    assert "its last number may be cut off" in read(path).remarks[0]


CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=8
)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6))
@settings(max_examples=200, deadline=None)
def test_any_table_is_read_or_refused(tmp_path_factory, rows):
    text = io.StringIO()
    csv.writer(text).writerows([["round", "client", "bytes_down"], *rows])
    path = tmp_path_factory.mktemp("any") / "log.csv"
    path.write_text(HEAD + text.getvalue(), "utf-8", newline="")
    with pytest.raises(MessageLogError):  # no row has bytes_up
        read(path)


def test_the_columns_are_those_of_all_records():
    assert {"kind", "round", "client", "value", "group"} <= set(COLUMNS)
