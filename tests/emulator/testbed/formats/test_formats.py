"""Files of transfers: both forms, and what is said of a wrong one."""

import contextlib
import copy
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from emulator.common.errors import ScenarioError
from emulator.testbed.formats import read
from emulator.testbed.schedule import Message

STAR = {
    "server_in_Bps": 2e6,
    "server_out_Bps": 1e6,
    "clients": [{"up_Bps": 1e5, "down_Bps": 3e5, "latency_s": 0.02}],
    "flows": [{"client": 0, "dir": "up", "start_s": 0.5, "size_B": 1000}],
}
YAML = """\
server: {down: 16 Mbps, up: 8 Mbps}
clients:
  phone: {down: 2400 kbps, up: 100 kB/s, rtt: 40 ms}
transfers:
  - {client: phone, direction: up, size: 1 kB, start: 500 ms}
"""


def star(**changes):
    return copy.deepcopy(STAR) | changes


def flow(**changes):
    return star(flows=[STAR["flows"][0] | changes])


def client(**changes):
    return star(clients=[STAR["clients"][0] | changes])


@pytest.fixture
def written(tmp_path):
    def write(content, name="x.json"):
        path = tmp_path / name
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, "utf-8")
        return path

    return write


def test_both_forms_say_the_same(written):
    (ours,) = read(written(STAR))
    (theirs,) = read(written(YAML, "x.yaml"))
    assert ours.star == theirs.star
    assert ours.messages == theirs.messages == [Message(0, "up", 1000, 0.5)]
    assert (ours.id, ours.clients) == (0, [0])
    assert (theirs.id, theirs.clients) == ("x", ["phone"])


def test_in_and_out_are_the_servers_down_and_up(written):
    (found,) = read(written(STAR))
    assert (found.star.server_down_Bps, found.star.server_up_Bps) == (2e6, 1e6)


@pytest.mark.parametrize("data", [STAR, [STAR], {"meta": {}, "scenarios": [STAR]}])
@pytest.mark.parametrize("name", ["x.json", "x", "x.txt", "X.JSON"])
def test_one_scenario_a_list_and_a_whole_file_are_alike(written, data, name):
    (found,) = read(written(data, name))
    assert found.messages == [Message(0, "up", 1000, 0.5)]


def test_ids_name_clients_and_flows(written):
    clients = [STAR["clients"][0] | {"id": id_} for id_ in ("b", 7)]
    flows = [STAR["flows"][0] | {"id": n, "client": c} for n, c in ((5, 7), ("x", "b"))]
    (found,) = read(written([star(id="s", clients=clients, flows=flows)]))
    assert (found.id, found.clients, found.ids) == ("s", ["b", 7], [5, "x"])
    assert [message.client for message in found.messages] == [1, 0]


def test_what_others_found_and_a_byte_order_mark_are_let_be(written):
    assert read(written("\ufeff" + json.dumps(flow(finish_fluid_s=1.0, finish_ns3_s=2.0))))


def test_numbered_clients(written):
    link = "{down: 1 Mbps, up: 1 Mbps, loss: 1 %}"
    (found,) = read(
        written(
            f"server: {{down: 1 Mbps, up: 1 Mbps}}\nclients: [{link}, {link}]\n"
            "transfers:\n- {client: 1, direction: down, size: 4 B}\n",
            "x.yml",
        )
    )
    assert found.messages == [Message(1, "down", 4)]
    assert found.star.loss == [0.01, 0.01]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (flow(size_B=-1), "flows[0]: size_B: found -1; allowed: 0 or more"),
        (flow(size_B=1.5), "flows[0]: size_B: found 1.5; allowed: a whole number"),
        (flow(size_B=True), "flows[0]: size_B: found true"),
        (flow(size_B=10**16), "flows[0]: size_B: found 10000000000000000; allowed: 1000000000"),
        (flow(start_s=float("nan")), "flows[0]: start_s: found NaN; allowed: a finite number"),
        (flow(start_s=-1), "flows[0]: start_s: found -1; allowed: 0 or more"),
        (flow(start_s="0"), "flows[0]: start_s: found '0'; allowed: a number"),
        (flow(client=3), "flows[0]: client: found 3; allowed: 0"),
        (flow(client=None), "flows[0]: client: found null"),
        (flow(dir="upp"), "flows[0]: dir: found 'upp'; did you mean 'up'? allowed: up, down"),
        (flow(size=3), "flows[0]: size: unknown key; did you mean 'size_B'?"),
        (client(up_Bps=0), "clients[0]: up_Bps: found 0; allowed: 1 or more"),
        (client(latency_s=float("inf")), "clients[0]: latency_s: found Infinity"),
        (star(server_in_Bps="1 MB/s"), "server_in_Bps: found '1 MB/s'; allowed: a number"),
        (star(clients=[]), "clients: found []; allowed: 1 or more"),
        (star(clients=[None]), "clients[0]: found null; allowed: a mapping"),
        (star(flows=[3]), "flows[0]: found 3; allowed: a mapping"),
        (star(flows={}), "flows: found {}; allowed: a list"),
        (star(loss=0.1), "loss: unknown key"),
        (star(clients=STAR["clients"] * 2 + [STAR["clients"][0] | {"id": 1}]), "found '1' twice"),
        ([STAR, flow(size_B=-1)], "[1].flows[0]: size_B: found -1"),
        ({"scenarios": [STAR, flow(client=1)]}, "scenarios[1].flows[0]: client: found 1"),
        ({"scenarios": [star(id=1), STAR]}, "scenarios: id: found '1' twice; allowed: once"),
        ({"scenarios": [STAR], "more": 1}, "more: unknown key; allowed: meta, scenarios"),
        ({"scenarios": []}, "found []; allowed: a scenario or a list of scenarios"),
        ("null", "found null; allowed: a scenario or a list of scenarios"),
        ('{"a": 1, "a": 2}', "found key 'a' twice in {\"a\": 2}"),
        ('{"a": 1,\n "b', "x.json:2:2: not JSON: Unterminated string"),
        ("", "x.json:1:1: not JSON"),
        ("[" * 100_000, "found deeper nesting"),
        ("[" + "9" * 5000 + "]", "[0]: found Infinity"),
        ("[" + "1," * 2**23 + "1]", "found more than 16 MiB"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_mistakes_in_json_are_named_with_their_place(written, data, said):
    with pytest.raises(ScenarioError) as caught:
        read(written(data))
    assert "x.json" in caught.value.message
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("16 Mbps", "16", "x.yaml:1: server.down: found 16; allowed: a rate with its unit"),
        ("40 ms", "40", "x.yaml:3: clients.phone.rtt: found 40; allowed: a duration with its unit"),
        ("client: phone", "client: phnoe", "x.yaml:5: transfers.0.client: found 'phnoe'; did you"),
        ("1 kB", "-1 kB", "x.yaml:5: transfers.0.size: found '-1 kB'; allowed: a size of zero"),
        ("1 kB", "9 TB, way: up", "x.yaml:5: transfers.0.way: unknown key"),
        ("1 kB", "9000 TB", "x.yaml:5: transfers.0.size: found '9000 TB'; allowed: at most"),
        ("100 kB/s", "1 bps", "x.yaml:3: clients.phone.up: found 1 bps; allowed: 8 bps to"),
        ("500 ms", "1e9 h", "x.yaml:5: transfers.0.start: found"),
        ("direction: up", "direction: sideways", "found 'sideways'; allowed: down, up"),
    ],
)
def test_mistakes_in_yaml_are_named_with_their_line(written, old, new, said):
    assert old in YAML
    with pytest.raises(ScenarioError) as caught:
        read(written(YAML.replace(old, new), "x.yaml"))
    assert said in caught.value.message


@pytest.mark.parametrize("name", ["missing", "missing.json", "missing.yaml", "."])
def test_no_file_is_one_message(tmp_path, name):
    with pytest.raises(ScenarioError, match=r"no such file|cannot be read|directory"):
        read(tmp_path / name)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "dir", "client", "start_s", "x"]), inside, max_size=4
        )
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["flow", "client", "star"]), st.data())
def test_whatever_stands_in_a_scenario_is_read_or_refused(written, where, data):
    parts = {"flow": (flow, STAR["flows"][0]), "client": (client, STAR["clients"][0])}
    make, keys = parts.get(where, (star, STAR))
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(keys)), json_values, min_size=1))
    path: Path = written(json.dumps(make(**changes)))
    with contextlib.suppress(ScenarioError):
        assert read(path)
