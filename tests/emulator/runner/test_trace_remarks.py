"""What is told of a trace before and after a run."""

import pytest

from emulator.results.ledger import Ledger
from emulator.runner import inputs, run
from emulator.runner.check import plan
from emulator.runner.executors import Local, Options

from ..simulation.clients.drawn_links import DATA

LINK = "clients: {down: 20 Mbps, up: 20 Mbps, rtt: 40 ms}"
STEADY = "".join(f"{second},8\n" for second in range(6))
GAP = "time_s,rate_Mbps\n# seconds\n" + STEADY + "300,2\n301,2\n"
SHORT = "time_s,rate_Mbps\n0,0.5\n0.4,0.6\n"


def study(scenario, tmp_path, content, keys="", name="drive.csv"):
    (tmp_path / name).write_text(content)
    path = scenario()
    trace = f"{{kind: trace, file: {name}{keys}}}"
    text = path.read_text().split("vary:")[0]
    path.write_text(text.replace(LINK, f"clients: {{down: {trace}, up: {trace}, rtt: 40 ms}}"))
    return inputs.read(path)


def told(read, tmp_path):
    return [line for line in plan(read, tmp_path / "recordings") if "drive." in line][1:]


def test_a_gap_is_told_with_its_line(scenario, tmp_path):
    read = study(scenario, tmp_path, GAP)
    assert told(read, tmp_path) == [
        f"{tmp_path}/drive.csv:8: the rates of this row hold for 4 min 55 s (median step: 1.0 s)"
    ]


def test_a_gap_of_packets_is_an_outage(scenario, tmp_path):
    stamps = [*range(1, 200), *range(4200, 4300)]
    content = "\n".join(map(str, stamps)) + "\n"
    lines = told(study(scenario, tmp_path, content, name="drive.trace"), tmp_path)
    assert lines[0] == (
        f"{tmp_path}/drive.trace:199: no packet passes for 4.0 s after this line, so that the "
        "link is down"
    )


@pytest.mark.parametrize("content", [GAP.replace("300", "14").replace("301", "15"), SHORT])
def test_steps_that_differ_little_are_no_gap(scenario, tmp_path, content):
    lines = told(study(scenario, tmp_path, content), tmp_path)
    assert not [line for line in lines if "hold for" in line]


@pytest.mark.parametrize(
    ("name", "told_of"),
    [
        ("cooked_sample.txt", ["all rounds take"]),
        ("sabre_sample.json", ["its latency_ms (median: 88 ms) is left out", "all rounds take"]),
        ("hsdpa_sample.log", ["all rounds take"]),
        ("irish_sample.csv", ["UL_bitrate is what the phone sent", "all rounds take"]),
    ],
)
def test_every_format_is_told_of(scenario, tmp_path, name, told_of):
    content = (DATA / name).read_text()
    drive = f"drive.{name.split('.')[1]}"
    lines = told(study(scenario, tmp_path, content, ", scale: 0.2", drive), tmp_path)
    assert len(lines) == len(told_of)
    assert all(text in line for text, line in zip(told_of, lines, strict=True)), lines


@pytest.mark.parametrize(
    ("keys", "then"), [("", "it repeats"), (", loop: false", "its last rates hold from there on")]
)
def test_a_trace_that_ends_early_is_told_at_check_and_run(scenario, toys, tmp_path, keys, then):
    read = study(scenario, tmp_path, SHORT, keys)
    start = f"{tmp_path}/drive.csv: the trace is {'400 ms' if keys else '800 ms'} long, and "
    (line,) = told(read, tmp_path)
    assert line.startswith(f"{start}all rounds take at least ")
    assert line.endswith(f": {then}")
    run.run(read, tmp_path / "out", Options(tmp_path / "recordings"), engine=Local(1))
    with Ledger.open(tmp_path / "out/ledger.sqlite") as ledger:
        remark = ledger.meta()["remark"]
    assert remark.startswith(f"{start}the longest simulation takes ")
    assert remark.endswith(f": {then}")


def test_a_long_trace_is_not_told(scenario, tmp_path):
    hours = "time_s,rate_Mbps\n" + "".join(f"{n * 60},8\n" for n in range(99))
    assert told(study(scenario, tmp_path, hours), tmp_path) == []
