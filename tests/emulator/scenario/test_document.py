import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from emulator.common.errors import ScenarioError
from emulator.scenario.document import (
    MAX_BYTES,
    MAX_CHAIN,
    MAX_FILES,
    Document,
    dump,
    load,
    parse,
    with_overrides,
)
from emulator.scenario.yaml_nodes import MAX_NESTING

X = Path("x.yaml")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Messages show paths as given, so tests use short ones."""
    monkeypatch.chdir(tmp_path)


def write(text, name="x.yaml"):
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())


def read(text, *overrides):
    write(text)
    return load(X, overrides)


def refusal(text, *overrides):
    with pytest.raises(ScenarioError) as caught:
        read(text, *overrides)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_byte_order_mark_and_windows_lines_are_read():
    document = read(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert document.data == {"a": 1, "b": 2}
    assert document.where(("b",)) == "x.yaml:2"


def test_where_names_the_line_of_the_key_or_of_its_nearest_ancestor():
    document = read("a:\n  b:\n    - 1\n    - c:\n        2\nd:\n  1\n")
    lines = {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "b", 0): 3,
        ("a", "b", 1): 4,
        ("a", "b", 1, "c"): 4,
        ("a", "b", 2): 2,  # no such item
        ("a", "missing", "deeper"): 1,
        ("a", 0): 1,  # keys are text
        ("d",): 6,
        ("d", "inside a scalar"): 6,
    }
    assert {path: document.where(path) for path in lines} == {
        path: f"x.yaml:{line}" for path, line in lines.items()
    }


BOMB = "a: &a [x]\n" + "".join(
    f"{child}: &{child} [{', '.join([f'*{parent}'] * 10)}]\n"
    for parent, child in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("", "x.yaml: ", ["found an empty file"]),
        ("# nothing\n---\n", "x.yaml: ", ["found an empty file"]),
        ("- 1", "x.yaml:1: ", ["found [1]", "allowed: a mapping"]),
        ("\nabc", "x.yaml:2: ", ["found 'abc'", "allowed: a mapping"]),
        ("a: 1\n---\nb: 2", "x.yaml:2: ", ["second document", "allowed: one"]),
        ("a: 1\nb: 2\n'a': 3", "x.yaml:3: a: ", ["duplicate key", "first at x.yaml:1"]),
        ("a:\n  1: 2\n  '1': 3", "x.yaml:3: 1: ", ["duplicate key", "first at x.yaml:2"]),
        ("a: {b c: 1,\n b c: 2}", 'x.yaml:2: "b c": ', ["duplicate key", "x.yaml:1"]),
        ("a: &a {x: 1}\nb:\n  <<: *a", "x.yaml:3: <<: ", ["merge keys"]),
        ("? [1]\n: 2", "x.yaml:1: ", ["found a key that is no plain text"]),
        ("a: &x b\n*x : 2", "x.yaml:2: ", ["found a key that is no plain text"]),
        ("a: !!python/object/apply:os.system [ls]", "x.yaml:1: ", ["!!python/object/apply:os"]),
        ("a:\n  b: !ruby 1", "x.yaml:2: ", ["found tag !ruby", "allowed: no tags"]),
        ("a: !<x\u00b5> 1", "x.yaml:1:", ["not YAML"]),
        ("!!map {a: 1}", "x.yaml:1: ", ["found tag !!map"]),
        ("!!str a: 1", "x.yaml:1: ", ["found tag !!str"]),
        ("a: &x [*x]", "x.yaml:1: ", ["alias *x", "no recursion"]),
        ("a: &x\n  b:\n    c: *x", "x.yaml:3: ", ["alias *x", "no recursion"]),
        ("a: *x", "x.yaml:1: ", ["alias *x", "allowed: one whose anchor"]),
        (BOMB, "x.yaml:", ["more values", "allowed: 100,000"]),
        ("[" * 100_000, "x.yaml:1: ", ["deeper nesting", "allowed: 50"]),
        ("- " * 100_000, "x.yaml:1: ", ["deeper nesting", "allowed: 50"]),
        ("{a: " * 100, "x.yaml:1: ", ["deeper nesting", "allowed: 50"]),
        ("a: 1\nb: \0", "x.yaml:2:4: ", ["U+0000"]),
        ("a: \x1b[31m", "x.yaml:1:4: ", ["U+001B"]),
        ('a: "\\ud800"', "x.yaml:1: ", ["U+D800"]),
        ('a: "\\0"', "x.yaml:1: ", ["U+0000"]),
        ('"\\0": 1', "x.yaml:1: ", ["U+0000"]),
        ('a: "\\UFFFFFFFF"', "x.yaml:1:1: ", ["out of range"]),
        (f"%YAML 1.{'9' * 5000}\n---\na: 1", "x.yaml:1:1: ", ["out of range"]),
        (b"a: 1\nb: \xff", "x.yaml:2: ", ["found byte 0xff", "allowed: UTF-8"]),
        ("a: 1".encode("utf-16"), "x.yaml:1: ", ["found byte 0xff", "allowed: UTF-8"]),
        ("a: 1 #" + "x" * MAX_BYTES, "x.yaml: ", ["more than 1 MiB"]),
        ("a: [1, 2", "x.yaml:1:9: ", ["expected ',' or ']'"]),
        ("a: b: c", "x.yaml:1:5: ", ["mapping values are not allowed here"]),
        ("a:\n\t- 1", "x.yaml:2:1: ", ["'\\t'"]),
        ("a: 'x", "x.yaml:1:6: ", ["unexpected end of stream"]),
        ("a: 1\n b: 2", "x.yaml:2:3: ", ["mapping values are not allowed here"]),
        ("%YAML 2.0\n---\na: 1", "x.yaml:1:1: ", ["version 1.* is required"]),
    ],
)
def test_a_bad_file_is_refused_by_file_and_line(text, place, says):
    message = refusal(text)
    assert message.startswith(place)
    for part in says:
        assert part in message


def test_nesting_and_length_end_where_they_say(monkeypatch):
    nested = "a: " + "[" * (MAX_NESTING - 1) + "]" * (MAX_NESTING - 1)
    assert read(nested).data["a"]
    assert "deeper" in refusal(nested.replace("[]", "[[]]"))
    monkeypatch.setattr("emulator.scenario.document.MAX_BYTES", 10)
    assert read("a: 1 #7890").data == {"a": 1}
    assert "1 MiB" in refusal("a: 1 #78901")


def test_files_that_cannot_be_read_are_named_as_given():
    Path("folder").mkdir()
    for path, says in [
        ("no/such.yaml", "no/such.yaml: no such file"),
        ("folder", "folder: is a directory"),
        ("a\nb", "a\\nb: no such file"),
        ("a\0b", "cannot be read"),
        ("x" * 5000, "cannot be read"),
    ]:
        with pytest.raises(ScenarioError) as caught:
            load(Path(path))
        assert says in caught.value.message
        assert "\n" not in caught.value.message


# extends


def test_a_child_merges_mappings_and_replaces_the_rest():
    write("a: {b: 1, c: [1, 2], d: {e: 1}}\nkept: 1\ngone: 1\nscalar: 1\n", "base.yaml")
    document = read(
        "extends: base.yaml\na:\n  c: [3]\n  d: 5\n  f: 6\ngone: null\nnew: null\nscalar: {x: 1}\n"
    )
    assert document.data == {
        "a": {"b": 1, "c": [3], "d": 5, "f": 6},
        "kept": 1,
        "new": None,
        "scalar": {"x": 1},
    }
    assert document.where(("a",)) == "x.yaml:2"
    assert document.where(("a", "b")) == "base.yaml:1"
    assert document.where(("a", "c", 0)) == "x.yaml:3"
    assert document.where(("a", "d", "e")) == "x.yaml:4"
    assert document.where(("kept",)) == "base.yaml:2"
    assert document.where(("gone",)) == "x.yaml:1"


def test_a_method_is_dropped_by_null():
    write("methods:\n  LoRA: {kind: lora}\n  FLASC: {kind: flasc}\n", "base.yaml")
    assert read("extends: base.yaml\nmethods: {LoRA: null}").data == {
        "methods": {"FLASC": {"kind": "flasc"}}
    }


def test_later_bases_win_and_paths_are_relative_to_the_file_that_names_them():
    Path("sub").mkdir()
    write("extends: deep.yaml\na: 1\nb: 1\n", "sub/one.yaml")
    write("deep: 1\na: 0\n", "sub/deep.yaml")
    write("b: 2\nc: 2\n", "two.yaml")
    document = read("extends: [sub/one.yaml, two.yaml]\nc: 3\n")
    assert document.data == {"deep": 1, "a": 1, "b": 2, "c": 3}
    places = [document.where((key,)) for key in ("deep", "a", "b", "c")]
    assert places == ["sub/deep.yaml:1", "sub/one.yaml:2", "two.yaml:1", "x.yaml:2"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\nextends: x.yaml", "x.yaml:2: extends: x.yaml: extends itself"),
        ("extends: loop.yaml", "loop.yaml:2: extends: x.yaml: extends itself"),
        ("extends: none.yaml", "x.yaml:1: extends: none.yaml: no such file"),
        ("extends:\n- ok.yaml\n- none.yaml", "x.yaml:3: extends: none.yaml: no such file"),
        ("extends: .", "x.yaml:1: extends: .: is a directory"),
        ("extends: 5", "x.yaml:1: extends: found 5; allowed: a file or a list of files"),
        ("extends: [[a]]", 'x.yaml:1: extends: found ["a"]; allowed: a file or a list'),
        ("extends:", "x.yaml:1: extends: found null; allowed: a file or a list"),
        ("extends: bad.yaml", "bad.yaml:1:2: not YAML"),
        ("extends: list.yaml", "list.yaml:1: found [1]; allowed: a mapping"),
        ("extends: empty.yaml", "empty.yaml: found an empty file"),
        (f"extends: [{'ok.yaml,' * MAX_FILES}]", "x.yaml:1: extends: ok.yaml: extends too far"),
    ],
)
def test_extends_that_cannot_be_followed(text, says):
    write("a: 1", "ok.yaml")
    write("b: 1\nextends: x.yaml", "loop.yaml")
    write("[", "bad.yaml")
    write("[1]", "list.yaml")
    write("", "empty.yaml")
    assert refusal(text).startswith(says)


def test_chains_end_at_the_limit():
    for depth in range(MAX_CHAIN + 2):
        write("a: 1" if depth == 0 else f"extends: f{depth - 1}.yaml", f"f{depth}.yaml")
    assert load(Path(f"f{MAX_CHAIN}.yaml")).data == {"a": 1}
    with pytest.raises(ScenarioError, match=r"f0\.yaml: extends too far"):
        load(Path(f"f{MAX_CHAIN + 1}.yaml"))


# --set


@pytest.mark.parametrize(
    ("override", "data"),
    [
        ("a.b=2", {"a": {"b": 2}, "l": [1, {"m": 2}]}),
        ("a.c=20 Mbps", {"a": {"b": 1, "c": "20 Mbps"}, "l": [1, {"m": 2}]}),
        ("a=[0, no, {x: .5}]", {"a": [0, "no", {"x": 0.5}], "l": [1, {"m": 2}]}),
        ("a=null", {"l": [1, {"m": 2}]}),
        ("a=", {"l": [1, {"m": 2}]}),
        ("a.b=null", {"a": {}, "l": [1, {"m": 2}]}),
        ("a.new=null", {"a": {"b": 1, "new": None}, "l": [1, {"m": 2}]}),
        ("a={c: 2, b: null}", {"a": {"c": 2}, "l": [1, {"m": 2}]}),
        ("a={c: 2, new: null}", {"a": {"c": 2, "new": None}, "l": [1, {"m": 2}]}),
        ("l.1={n: {m: 3}, m: null}", {"a": {"b": 1}, "l": [1, {"n": {"m": 3}}]}),
        ("l.0=null", {"a": {"b": 1}, "l": [None, {"m": 2}]}),
        ("a='x=y'", {"a": "x=y", "l": [1, {"m": 2}]}),
        ("l.0=x", {"a": {"b": 1}, "l": ["x", {"m": 2}]}),
        ("l.1.m=x", {"a": {"b": 1}, "l": [1, {"m": "x"}]}),
        ("l=[]", {"a": {"b": 1}, "l": []}),
        ("n.o.p=1", {"a": {"b": 1}, "l": [1, {"m": 2}], "n": {"o": {"p": 1}}}),
        ('a."F 1/4".x=1/8', {"a": {"b": 1, "F 1/4": {"x": "1/8"}}, "l": [1, {"m": 2}]}),
        ("a.F 1/4.x=1", {"a": {"b": 1, "F 1/4": {"x": 1}}, "l": [1, {"m": 2}]}),
        ('a."x.\\"y"=1', {"a": {"b": 1, 'x."y': 1}, "l": [1, {"m": 2}]}),
    ],
)
def test_an_override_sets_a_path(override, data):
    assert read("a: {b: 1}\nl: [1, {m: 2}]", override).data == data


def test_null_in_a_value_deletes_at_every_depth():
    text = "a: {b: {c: 1, d: 2}, e: 3}\nvary: {x: {y: {a: {b: {c: null, f: 4}, e: null}}}}"
    assert read(text, "a={b: {c: null, f: 4}, e: null}").data["a"] == {"b": {"f": 4}}
    document = read(text)
    changed = document.changed([(("a",), document.at(("vary", "x", "y", "a")))])
    assert changed.data["a"] == {"b": {"f": 4}}


def test_overrides_say_where_they_are_and_the_later_wins():
    document = read("a:\n  b: 1\n  c: 2\n", "a.b=[1, 2]", "n.o.p=1", "a.b.0=7")
    assert document.data == {"a": {"b": [7, 2], "c": 2}, "n": {"o": {"p": 1}}}
    assert document.where(("a", "b")) == "--set a.b=[1, 2]"
    assert document.where(("a", "b", 0)) == "--set a.b.0=7"
    assert document.where(("a", "b", 1)) == "--set a.b=[1, 2]"
    assert document.where(("a", "c")) == "x.yaml:3"
    assert document.where(("n", "o", "missing")) == "--set n.o.p=1"
    assert document.where(("a",)) == "x.yaml:1"


def test_an_override_reaches_what_was_inherited():
    write("a: {b: 1}", "base.yaml")
    assert read("extends: base.yaml", "a.b=2").data == {"a": {"b": 2}}


@pytest.mark.parametrize(
    ("override", "says"),
    [
        *[(bad, "found no key.path=value") for bad in ("", "a", "=1", "a.=1", ".a=1", "a..b=1")],
        *[(bad, "found no key.path=value") for bad in ('"a=1', 'a"b=1', '"\\q"=1', "a\x00=1")],
        ("\udc80=1", "found no key.path=value"),
        ("l.2=1", "l: found item 2; allowed: 0 to 1"),
        ("l.-1=1", "l: found item -1; allowed: 0 to 1"),
        ("l.x=1", "l: found item x; allowed: 0 to 1"),
        ("l." + "9" * 5000 + "=1", "allowed: 0 to 1"),
        ("e.0=1", "e: found item 0; allowed: none"),
        ("a.b.c.d=1", "a.b: found 1; allowed: a mapping here, to set c"),
        ("a=#1", "found only a comment"),
        ("a=[1", "not YAML: expected ',' or ']'"),
        ("a=!!int 1", "found tag !!int"),
        ("a=*x", "found alias *x"),
        ("a={b: 1, b: 2}", "b: duplicate key"),
        ("a=" + "[" * 100, "deeper nesting"),
        ("a=1\n---\n2", "second document"),
        ("a=\x00", "U+0000"),
        ("a=\udc80", "U+DC80"),
        (".".join("a" * 1000) + "=1", "found 1000 keys in a path; allowed: 50"),
    ],
)
def test_a_bad_override_is_refused_by_its_text(override, says):
    message = refusal("a: {b: 1}\nl: [1, 2]\ne: []", override)
    assert says in message
    assert message.startswith("--set ") or "keys in a path" in message
    message.encode()


KEYS = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=8)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | KEYS,
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=2), inside, max_size=3)
    ),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(st.text("abc", min_size=1, max_size=2), TREES, max_size=3)


def dive(data, path):
    for key in path:
        data = data[key]
    return data


# properties and random text


def attempt(path, *overrides):
    try:
        return load(path, overrides)
    except ScenarioError as error:
        return error


def loaded(files):
    """The data of the first of `files` (name: plain data or text), or its error."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            raw = (
                content
                if isinstance(content, bytes)
                else json.dumps(content, ensure_ascii=False).encode()
            )
            (Path(folder) / name).write_bytes(raw)
        return attempt(Path(folder) / next(iter(files)))


def plain(outcome):
    assert isinstance(outcome, Document), outcome
    return outcome.data


@given(MAPPINGS)
def test_merging_with_nothing_is_the_identity(data):
    assert plain(loaded({"x.yaml": data})) == data
    assert plain(loaded({"x.yaml": {"extends": "b.yaml"}, "b.yaml": data})) == data
    assert plain(loaded({"x.yaml": {"extends": "b.yaml", **data}, "b.yaml": {}})) == data
    assert plain(loaded({"x.yaml": {"extends": [], **data}})) == data


def leaves(data, path=()):
    if isinstance(data, dict) and data:
        return [leaf for key in data for leaf in leaves(data[key], (*path, key))]
    return [(path, data)]


@given(MAPPINGS, MAPPINGS)
def test_a_child_wins_and_everything_knows_its_file(base, child):
    document = loaded({"x.yaml": {"extends": "b.yaml", **child}, "b.yaml": base})
    data = plain(document)
    for path, value in leaves(child):
        if value is not None and value != {}:
            assert dive(data, path) == value
            assert document.where(path).endswith("x.yaml:1")
    for key in base.keys() - child.keys():
        assert data[key] == base[key]
        assert document.where((key,)).endswith("b.yaml:1")
    for key in base.keys() & child.keys():
        assert (key in data) == (child[key] is not None)


YAML_LIKE = st.text(st.sampled_from("ab1 \n\t:-?[]{},&*!|>'\"%@#~<.\\\0ux\ufeff\x85"), max_size=60)


@pytest.mark.parametrize(
    "text", ["1e3", "08", "+.5", ".5e3", "1E5", "-1e-5", "010", "1:30", "1_0", "no", "", "x\x85y"]
)
def test_text_that_looks_like_something_else_is_text_when_read_again(text):
    data = {"name": text, text: [text, {text: 1e-5}], "n": [1, 1e300, 0.5, 10**18, True, None]}
    again = with_overrides(parse(dump(data), "x"), ()).data
    assert again == data
    assert repr(again) == repr(data)  # 1 is not True


@given(st.text(max_size=200) | YAML_LIKE)
def test_any_text_gives_a_document_or_an_error(text):
    outcome = loaded({"x.yaml": text.encode("utf-8", "surrogatepass")})
    assert isinstance(outcome, Document | ScenarioError)
    if isinstance(outcome, ScenarioError):
        assert outcome.message.isprintable()
        assert "x.yaml" in outcome.message


@given(st.binary(max_size=200))
def test_any_bytes_give_a_document_or_an_error(raw):
    assert isinstance(loaded({"x.yaml": raw}), Document | ScenarioError)


@given(st.text(max_size=50) | YAML_LIKE)
def test_any_override_gives_a_document_or_an_error(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.yaml"
        path.write_bytes(b"a: {b: 1}")
        for override in (text, f"a.b={text}"):
            outcome = attempt(path, override)
            assert isinstance(outcome, Document) or outcome.message.isprintable()


def test_a_copy_knows_where_it_was_written_and_leaves_the_original_be(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: {b: 1}\nvary:\n  up: {slow: {a.b: 2, c.d: [3]}}\n")
    document = load(path)
    up = ("vary", "up", "slow")
    changes = [
        (path, document.at((*up, key))) for path, key in ((("a", "b"), "a.b"), (("c", "d"), "c.d"))
    ]
    copy = document.changed(changes)
    assert (copy.data["a"], copy.data["c"]) == ({"b": 2}, {"d": [3]})
    assert copy.where(("a", "b")) == copy.where(("c", "d", 0)) == f"{path}:3"
    assert document.data["a"] == {"b": 1}
    with pytest.raises(ScenarioError, match="allowed: a mapping here"):
        document.changed([(("a", "b", "c"), document.at(("vary",)))])
