"""CSV with a header: delimiters, quotes, missing cells."""

import pytest

from emulator.common.csv_files import is_missing, number, parse_csv
from emulator.common.errors import ScenarioError


def test_cells_and_the_lines_of_rows():
    table = parse_csv('# c\n\n a ,"b, c"\n1,"x ""y"""\n\n# 5\n2,"two\nlines"\n', "x")
    assert (table.header, table.header_line) == (["a", "b, c"], 3)
    assert table.rows == [(4, ["1", 'x "y"']), (8, ["2", "two\nlines"])]
    assert table.numbers(table.column("a")) == [1.0, 2.0]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_header_decides_what_separates_cells(mark):
    table = parse_csv(f"a{mark}b\n1.5{mark}2\n", "x")
    assert (table.header, table.rows) == (["a", "b"], [(2, ["1.5", "2"])])


def test_a_wide_header_is_not_listed_whole():
    header = ",".join(f"c{n}" for n in range(100))
    with pytest.raises(ScenarioError, match=r"did you mean 'c7'\? allowed: c0, .*, and 70 more"):
        parse_csv(f"{header}\n", "x").column("C7")


@pytest.mark.parametrize("cell", ["", "-", "NA", "n/a", "NaN", "null", "None"])
def test_missing_cells(cell):
    assert is_missing(cell)


@pytest.mark.parametrize("cell", ["0", "x", "-1"])
def test_other_cells(cell):
    assert not is_missing(cell)


@pytest.mark.parametrize("cell", ["", "x", "-1", "inf", "nan", "1e16", "1_0x"])
def test_what_is_no_number(cell):
    with pytest.raises(ScenarioError, match=r"^here: found .*; allowed: a number, 0 or 1e-15"):
        number(cell, "here")
