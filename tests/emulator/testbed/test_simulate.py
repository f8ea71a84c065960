"""Transfers without training: SimGrid's times, real TCP's, and messages that follow others."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from emulator.network.tcp import Tcp
from emulator.testbed.schedule import Message, Star
from emulator.testbed.simulate import time_messages

ROOT = Path(__file__).parent.parent.parent.parent
DATA = ROOT / "tests/data"
SAMPLE = DATA / "simgrid_star_sample.json"
WHOLE = ROOT.parent / "shared/reference/simgrid_star.json"
MEASURED = json.loads((DATA / "tcp_measured_sample.json").read_text("utf-8"))
MBIT_BPS = 1e6 / 8


def timed(transfers, path, *options):
    """{(scenario, flow): (start_s, finish_s)} that the command prints."""
    code, out, err = transfers(path, "--json", *options)
    assert (code, err) == (0, "")
    rows = map(json.loads, out.splitlines())
    return {(r["scenario"], r["flow"]): (r["start_s"], r["finish_s"]) for r in rows}


# -- fluid


@pytest.mark.parametrize("path", [SAMPLE, WHOLE], ids=["sample", "whole"])
def test_fluid_times_are_simgrids(transfers, path):
    if not path.exists():
        pytest.skip("the reference folder is not beside the checkout")
    reference = json.loads(path.read_text("utf-8"))
    ours = timed(transfers, path, "--transport", "fluid")
    theirs = {(s["id"], f["id"]): f for s in reference["scenarios"] for f in s["flows"]}
    assert list(ours) == list(theirs)
    for key, (start_s, finish_s) in ours.items():
        flow = theirs[key]
        assert start_s == flow["start_s"]
        took_s = flow["finish_fluid_s"] - flow["start_s"]
        assert finish_s - start_s == pytest.approx(took_s, rel=1e-9, abs=0)


# -- TCP, as the JSON form has it: the latency is half of the RTT


def star_json(flows, server_mbit_s=10_000):
    return {
        "server_in_Bps": server_mbit_s * MBIT_BPS,
        "server_out_Bps": server_mbit_s * MBIT_BPS,
        "clients": [
            {
                "up_Bps": flow["client_mbit_s"] * MBIT_BPS,
                "down_Bps": flow["client_mbit_s"] * MBIT_BPS,
                "latency_s": flow["rtt_ms"] / 2000,
            }
            for flow in flows
        ],
        "flows": [
            {
                "client": client,
                "dir": flow["direction"],
                "start_s": flow.get("start_s", 0),
                "size_B": flow["payload_bytes"],
            }
            for client, flow in enumerate(flows)
        ],
    }


def test_single_transfers_are_real_tcps(transfers, tmp_path):
    cases = [
        case | {"client_mbit_s": case[f"client_{case['direction']}_mbit_s"]}
        for case in MEASURED["single"]
    ]
    path = tmp_path / "single.json"
    path.write_text(json.dumps([star_json([case]) for case in cases]))
    for (_, finish_s), case in zip(timed(transfers, path).values(), cases, strict=True):
        error = 0.02 if case["payload_bytes"] >= 100_000 else 0.05
        assert finish_s == pytest.approx(case["median_s"], rel=error)


def test_the_makespan_of_a_shared_link_is_real_tcps(transfers, tmp_path):
    path = tmp_path / "shared.json"
    runs = MEASURED["shared"]
    path.write_text(json.dumps([star_json(run["flows"], run["server_mbit_s"]) for run in runs]))
    ours = timed(transfers, path, "--transport", "tcp")
    by_name = {}
    for number, run in enumerate(runs):
        real_s = max(flow["start_s"] + flow["duration_s"] for flow in run["flows"])
        ours_s = max(
            finish_s for (scenario, _), (_, finish_s) in ours.items() if scenario == number
        )
        by_name.setdefault(run["name"], []).append((real_s, ours_s))
    assert by_name
    for pairs in by_name.values():
        real_s, ours_s = map(sum, zip(*pairs, strict=True))
        assert ours_s == pytest.approx(real_s, rel=0.05)


# -- what follows what


def wide(clients):
    """A star without delay whose server is never the limit: 100 B/s a client."""
    return Star([100.0] * clients, [100.0] * clients, [0.0] * clients, [0.0] * clients, 1e9, 1e9)


def test_a_message_follows_another_after_a_pause():
    messages = [Message(0, "down", 200), Message(0, "up", 100, 3.0, 0), Message(1, "up", 500)]
    deliveries = time_messages(wide(2), messages, None)
    assert [(d.start_s, d.finish_s) for d in deliveries] == [(0, 2), (5, 6), (0, 5)]


def test_messages_of_nothing_arrive_with_the_delay():
    star = Star([100.0], [100.0], [0.25], [0.0], 1e9, 1e9)
    (delivery,) = time_messages(star, [Message(0, "up", 0, 1.0)], None)
    assert (delivery.start_s, delivery.finish_s) == (1.0, 1.25)


def test_losses_follow_the_seed():
    star = Star([1e6], [1e6], [0.02], [0.05], 1e9, 1e9)
    messages = [Message(0, "down", 100_000)]
    finishes = [time_messages(star, messages, Tcp(), seed)[0].finish_s for seed in (0, 0, 1)]
    assert finishes[0] == finishes[1] != finishes[2]


rates_Bps = st.sampled_from([1.0, 1e12]) | st.floats(1.0, 1e12)
times_s = st.sampled_from([0.0, 1e-9, 1e9]) | st.floats(0, 1e9)


@given(st.data(), st.sampled_from([None, Tcp()]))
def test_whatever_a_file_may_hold_comes_to_an_end(data, tcp):
    star = Star(
        *([data.draw(rates_Bps) for _ in range(2)] for _ in range(2)),
        [data.draw(times_s) for _ in range(2)],
        [0.0] * 2,
        data.draw(rates_Bps),
        data.draw(rates_Bps),
    )
    clients, ways = st.sampled_from([0, 1]), st.sampled_from(["up", "down"])
    message = st.builds(Message, clients, ways, st.integers(0, 10**15), times_s)
    messages = data.draw(st.lists(message, max_size=5))
    for delivery, asked in zip(time_messages(star, messages, tcp), messages, strict=True):
        assert delivery.start_s == asked.start_s
        assert delivery.finish_s >= delivery.start_s


# -- the command


def test_few_flows_are_a_row_each_and_many_a_row_a_scenario(transfers, tmp_path):
    scenarios = json.loads(SAMPLE.read_text("utf-8"))["scenarios"]
    path = tmp_path / "few.json"
    path.write_text(json.dumps(scenarios[0]))
    _, out, _ = transfers(path, "--transport", "fluid")
    assert len(out.splitlines()) == 2 + len(scenarios[0]["flows"])
    assert "221.1116 " in out
    _, out, _ = transfers(SAMPLE)
    assert [line for line in out.splitlines() if "--json prints every flow" in line]
    assert len(out.splitlines()) == 3 + len(scenarios)
    path.write_text(json.dumps([scenarios[0], scenarios[-1] | {"flows": []}]))
    assert len(transfers(path)[1].splitlines()) == 2 + len(scenarios[0]["flows"])
    assert max(map(len, out.splitlines())) <= 80


def test_a_mistake_is_one_message_and_exit_code_2(transfers, tmp_path):
    (tmp_path / "x.json").write_text("{}")
    code, out, err = transfers("x.json", "--json")
    assert (code, out) == (2, "")
    assert err.startswith("error: x.json: ")
    assert "Traceback" not in err


def test_fluid_loses_nothing(transfers, tmp_path):
    (tmp_path / "x.yaml").write_text(
        "server: {down: 1 Mbps, up: 1 Mbps}\nclients: [{down: 1 Mbps, up: 1 Mbps, loss: 1 %}]\n"
        "transfers:\n- {client: 0, direction: down, size: 4 kB}\n"
    )
    code, _, err = transfers("x.yaml", "--transport", "fluid")
    assert code == 2
    assert "found loss with transport fluid" in err
    assert transfers("x.yaml")[0] == 0


def test_names_are_shown_not_obeyed(transfers, tmp_path):
    (tmp_path / "x.yaml").write_text(
        "server: {down: 1 Mbps, up: 1 Mbps}\n"
        'clients: {"[red]x\\e[31m": {down: 1 Mbps, up: 1 Mbps}}\n'
        'transfers:\n- {client: "[red]x\\e[31m", direction: down, size: 4 kB}\n'
    )
    code, out, _ = transfers("x.yaml")
    assert code == 0
    assert "[red]x" in out
    assert "\x1b" not in out


def test_the_examples_of_the_page_print_what_it_shows(transfers, tmp_path):
    page = (ROOT / "docs/howto/time_transfers.md").read_text("utf-8")
    for kind, name in (("yaml transfers", "flows.yaml"), ("json", "flows.json")):
        (text,) = re.findall(rf"^```{kind}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
        (tmp_path / name).write_text(text)
    shown = re.findall(r"^\$ flasc-emu transfers (.*)\n((?:(?!\$ |```).*\n)+)", page, re.MULTILINE)
    assert len(shown) >= 2
    for line, expected in shown:
        code, out, _ = transfers(*line.split())
        assert code == 0
        assert [row.rstrip() for row in out.splitlines()] == expected.splitlines()
