"""The JSON Schema accepts valid scenarios and refuses errors that an editor can detect."""

import itertools
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings, strategies as st
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from emulator.cli import main
from emulator.common.distributions import Duration, Rate
from emulator.common.errors import ScenarioError
from emulator.common.units import parse_duration, parse_rate
from emulator.runner import inputs
from emulator.scenario.document import read
from emulator.scenario.json_schema import network_schema, scenario_schema
from emulator.scenario.yaml_nodes import Node, parse_yaml
from flasc.common.settings import Fraction, parse_fraction

ROOT = Path(__file__).parents[3]
SCENARIOS = [
    p for at in ("", "paper/", "paper/full/") for p in sorted(ROOT.glob(f"scenarios/{at}*.yaml"))
]
NETWORKS = sorted((ROOT / "scenarios/networks").glob("*.yaml"))
VALID = Draft202012Validator(scenario_schema())
NETWORK = Draft202012Validator(network_schema())


def plain(node: Node):
    if isinstance(node.value, dict):
        return {key: plain(inside) for key, inside in node.value.items()}
    return [plain(item) for item in node.value] if isinstance(node.value, list) else node.value


def written(text):
    """The data of one file, with its `extends` key, as the emulator reads scalars."""
    return plain(parse_yaml(text, "x.yaml"))


def blocks(kind):
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for match in re.finditer(rf"^```{kind}\n(.*?)^```$", page.read_text("utf-8"), re.S | re.M):
            yield pytest.param(match[1], id=f"{page.stem} {match.start()}")


def test_it_is_a_schema():
    for schema in (scenario_schema(), network_schema()):
        Draft202012Validator.check_schema(schema)


def test_no_definition_is_named_by_a_type_of_python():
    for schema in (scenario_schema(), network_schema()):
        assert "UniformRate" in schema["$defs"]
        assert not [name for name in schema["$defs"] if re.search(r"__|\[", name)]


def titles(schema):
    if isinstance(schema, dict):
        yield from [schema["title"]] if isinstance(schema.get("title"), str) else []
        yield from itertools.chain.from_iterable(map(titles, schema.values()))
    elif isinstance(schema, list):
        yield from itertools.chain.from_iterable(map(titles, schema))


def test_titles_are_words_and_no_types_of_python():
    for schema in (scenario_schema(), network_schema()):
        found = set(titles(schema))
        assert "uniform rate" in found
        assert not [title for title in found if not re.fullmatch("[a-z0-9 -]+", title)]


def properties(schema, path=()):
    """Each property of each mapping of a schema, with its place."""
    if isinstance(schema, dict):
        for name, inside in schema.get("properties", {}).items():
            yield (*path, name), inside
        for key, inside in schema.items():
            yield from properties(inside, (*path, key))
    elif isinstance(schema, list):
        for item in schema:
            yield from properties(item, path)


def test_every_property_says_what_it_is():
    for schema in (scenario_schema(), network_schema()):
        found = list(properties(schema))
        assert len(found) > 200
        assert not [path for path, inside in found if not inside.get("description")]


def test_a_description_is_plain_text_with_the_form_of_the_value():
    flasc = scenario_schema()["$defs"]["Flasc"]["properties"]
    assert flasc["up"]["description"] == (
        "share of the entries in each upload (a fraction above 0 to 1, like 1/16, 25 % or 0.25)"
    )
    assert flasc["kind"]["description"].startswith("FLASC: dense training")
    wire = scenario_schema()["$defs"]["Training"]["properties"]["wire"]
    assert wire["description"] == "encoding of messages: see wire formats"


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_scenario_is_valid(path):
    VALID.validate(written(path.read_text("utf-8")))
    whole = plain(read(path))  # merged with the files that it extends
    VALID.validate(whole)


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_every_network_is_valid(path):
    NETWORK.validate(written(path.read_text("utf-8")))


@pytest.mark.parametrize("text", [*blocks("yaml")])
def test_every_example_of_the_docs_is_valid(text):
    found = written(text)
    (NETWORK if set(found) == {"network"} else VALID).validate(found)


GOOD = """\
name: x
task: {name: 20newsgroups, split: {alpha: 0.5}}
training: {rounds: 4, wire: int4, server: {lr: 0.1}, target: {accuracy: 1/2}}
methods: {F: {kind: flasc, down: 1/4, up: 25 %}, G: {kind: flasc, density: 1/4}}
network:
  server: {down: 1 Gbps, up: 1 Gbps}
  transport: tcp
  clients: {preset: 4g, loss: 0.1 %, correlation: {rtt: 0.4}}
"""


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        ("name: x\n", ""),
        ("name: x", "nme: x"),
        ("rounds: 4", "rounds: 0"),
        ("rounds: 4", "rounds: four"),
        ("rounds: 4", "rounds: null"),
        ("up: 1 Gbps", "up: 1"),
        ("up: 1 Gbps", "up: 1 Gb"),
        ("down: 1/4", "down: a quarter"),
        ("down: 1/4, ", ""),
        ("density: 1/4", "density: a quarter"),
        ("density: 1/4", "gamma: 1/2"),
        ("wire: int4", "wire: int5"),
        ("kind: flasc", "kind: flask"),
        ("preset: 4g", "preset: 6g"),
        ("preset: 4g, ", "up: 1 Mbps, "),
        ("lr: 0.1}", "lr: 0.1, tau: 1}"),
        ("rounds: 4", "rounds: 4, seeds: []"),
    ],
)
def test_what_is_wrong_is_refused_by_both(tmp_path, found, instead):
    path = tmp_path / "x.yaml"
    path.write_text(GOOD)
    assert inputs.read(path)
    VALID.validate(written(GOOD))
    bad = GOOD.replace(found, instead, 1)
    assert bad != GOOD
    assert not VALID.is_valid(written(bad))
    path.write_text(bad)
    with pytest.raises(ScenarioError):
        inputs.read(path)


@pytest.mark.parametrize(
    ("clients", "valid"),
    [
        ("{table: {file: x.csv, columns: {down: d, up: u, rtt: r}}}", True),
        (
            "{table: {file: x.csv, columns: {down: d}, unit: Mbps, where: {a: [b, 5], c: 1.5}}}",
            True,
        ),
        ("{down: {kind: trace, file: x, columns: {time: t, down: d}, unit: bps}, up: 1 bps}", True),
        ("{down: {kind: trace, file: x, format: cooked}, up: table, rtt: table}", True),
        ("{table: {file: x.csv}}", False),
        ("{table: {file: x.csv, columns: {up: u}}}", False),
        ("{table: {file: x.csv, columns: {down: d, loss: l}}}", False),
        ("{table: {file: x.csv, columns: {down: d}, where: {a: []}}}", False),
        ("{down: {kind: trace, file: x, columns: {down: d}}, up: 1 bps}", False),
        ("{down: {kind: trace, file: x, format: pensieve}, up: 1 bps}", False),
        ("{down: 1 bps, up: 1 bps, rtt: tables}", False),
    ],
)
def test_traces_and_tables(clients, valid):
    text = GOOD.split("  clients:", maxsplit=1)[0] + f"  clients: {clients}\n"
    assert VALID.is_valid(written(text)) == valid


def test_a_part_may_leave_out_and_delete_but_not_misspell():
    VALID.validate(written("extends: a.yaml\nmethods: {A: null}\ntraining: {target: null}\n"))
    VALID.validate(written("extends: [a.yaml]\nnetwork: {clients: {up: {sigma: 1}}}\n"))
    assert not VALID.is_valid(written("extends: a.yaml\ntraining: {cohrt: 3}\n"))
    assert not VALID.is_valid(written("extends: a.yaml\nnetwork: {clients: {up: 3}}\n"))
    assert not VALID.is_valid(written("extends: 3\n"))


TEXTS = st.one_of(
    st.from_regex(r"\A ?[0-9]{1,3}(\.[0-9])?(e[0-9])? ?(k|M|Ki)?(bps|B/s|bit/s|x)? ?\Z"),
    st.from_regex(r"\A[0-9.]{1,4} ?(ns|us|ms|s|min|h|d|y)?\Z"),
    st.from_regex(r"\A[0-9]{1,2} ?(/ ?[0-9]|%)?\Z"),
)


@pytest.mark.parametrize(
    ("kind", "parse"), [(Rate, parse_rate), (Duration, parse_duration), (Fraction, parse_fraction)]
)
@settings(deadline=None)  # independent of the load of the machine
@given(TEXTS)
def test_texts_are_taken_as_the_parsers_take_them(kind, parse, text):
    try:
        parse(text)
        taken = True
    except ValueError as error:
        divided = parse is parse_fraction and "/0" in text.replace(" ", "")
        taken = "above zero" in str(error) or divided  # the value is wrong, not the format
    assert Draft202012Validator(TypeAdapter(kind).json_schema()).is_valid(text) == taken


def test_the_command_prints_it():
    for args, schema in (([], scenario_schema()), (["network"], network_schema())):
        assert json.loads(CliRunner().invoke(main, ["schema", *args]).output) == schema
