"""YAML text as nodes: scalars, aliases, limits and syntax errors."""

import math

import pytest

from emulator.common.errors import ScenarioError
from emulator.scenario.document import parse, with_overrides
from emulator.scenario.yaml_nodes import MAX_NESTING, MAX_NODES


def read(text):
    return with_overrides(parse(text, "x.yaml"), ())


def refusal(text):
    with pytest.raises(ScenarioError) as caught:
        read(text)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[(word, word) for word in ("yes", "no", "on", "off", "y", "n", "nUll", "tRue")],
        *[("0", 0), ("-7", -7), ("+7", 7), ("010", 10)],
        *[(word, word) for word in ("1:30", "1:30:00", "2001-01-01", "1_000", "0x1F", "0o17")],
        *[("1e-3", 1e-3), ("1e3", 1e3), ("1.", 1.0), (".5", 0.5), ("-1.5E+2", -150.0)],
        *[(".inf", math.inf), ("-.inf", -math.inf), ("+.INF", math.inf), ("-.Inf", -math.inf)],
        *[(word, word) for word in ("inf", "nan", ".", "+", "1e", "-.nan", "1/16", "20 Mbps")],
        *[("'1'", "1"), ('"null"', "null"), ("''", ""), ('"\\u00b5s"', "µs"), ("|\n  1\n", "1\n")],
        *[("9" * 100, int("9" * 100)), ("9" * 101, "9" * 101)],
        *[("１", "１"), ("=", "="), ("[1, no]", [1, "no"]), ("{a: 010}", {"a": 10})],
    ],
)
def test_scalars_follow_the_yaml_1_2_core_schema_in_decimal(text, value):
    found = read(f"a: {text}").data["a"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_float():
    assert all(math.isnan(x) for x in read("a: [.nan, .NaN, .NAN]").data["a"])


def test_keys_are_text_as_written():
    data = read("1: a\n0.10: b\nnull: c\nno: d\n'<<': e\n? f g\n: h\n").data
    assert list(data.items()) == [
        *[("1", "a"), ("0.10", "b"), ("null", "c"), ("no", "d"), ("<<", "e"), ("f g", "h")]
    ]


def test_an_alias_stands_where_it_is_used_and_its_inside_where_it_is_written():
    document = read("a: &x\n  b: 1\nc: *x\n")
    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.where(("c",)) == "x.yaml:3"
    assert document.where(("c", "b")) == "x.yaml:2"


def test_an_anchor_may_be_used_again_and_the_latest_counts():
    assert read("a: &x 1\nb: *x\nc: &x 2\nd: *x\n").data == {"a": 1, "b": 1, "c": 2, "d": 2}
    assert read("a: &x [&x 1, *x]\n").data == {"a": [1, 1]}


def test_syntax_errors_come_with_a_hint():
    for text, hint in [("a:\n\t- 1", "spaces"), ("a: b: c", "quote"), ("a: @b", "quote")]:
        with pytest.raises(ScenarioError) as caught:
            read(text)
        assert hint in caught.value.hint


def test_aliases_count_as_if_written_out():
    thousand = "&x [" + "1," * 999 + "]"
    text = f"{{a: {thousand}, b: [{'*x,' * 98} %s]}}"  # the mapping, two keys and the list: 4
    rest = MAX_NODES - 4 - 99_000
    assert len(read(text % ("1," * rest)).data["b"]) == 98 + rest
    assert "more values" in refusal(text % ("1," * (rest + 1)))


def test_nesting_counts_through_aliases():
    half = MAX_NESTING // 2
    deep = "[" * half + "]" * half
    fits = MAX_NESTING - 1 - half
    assert read(f"a: &x {deep}\nb: {'[' * fits}*x{']' * fits}").data["b"]
    assert "deeper" in refusal(f"a: &x {deep}\nb: {'[' * (fits + 1)}*x{']' * (fits + 1)}")
