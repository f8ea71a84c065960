"""The settings and the recording of each simulation of a run."""

import json
from pathlib import Path

from emulator.runner.origins import origins
from emulator.simulation.records import Emulation

LOG = (
    {"flasc_emu_message_log": 1, "run": "mine", "method": "FedAvg"},
    {"kind": "visit", "round": 1, "client": 7, "bytes_down": 9, "bytes_up": 9},
)


def test_settings_are_those_of_the_variant_and_the_method(command, scenario):
    assert command.run_here(scenario(), "--method", "FLASC", "--method", "head")[0] == 0
    found = origins(Path("runs/toy"))
    assert set(found) == {
        Emulation(method, variant, 0)
        for method in ("head", "FLASC")
        for variant in ("fast", "slow")
    }
    fast, slow = (found[Emulation("FLASC", each, 0)] for each in ("fast", "slow"))
    assert fast.settings["network"]["clients"]["up"] == "20 Mbps"
    assert slow.settings["network"]["clients"]["up"] == "5 Mbps"
    assert slow.settings["method"] == {"kind": "flasc", "down": 0.25, "up": 0.25}
    assert not {"vary", "methods"} & set(slow.settings)
    head = found[Emulation("head", "fast", 0)]
    assert fast.recording == slow.recording != head.recording
    assert {path.name for path in Path("runs/recordings").iterdir()} == {
        fast.recording, head.recording
    }  # fmt: skip


def test_a_message_log_is_its_own_recording(command, scenario, tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text("".join(f"{json.dumps(each)}\n" for each in LOG))
    network = tmp_path / "network.yaml"
    network.write_text(
        "network: {server: {down: 1 Gbps, up: 1 Gbps}, clients: {down: 1 Mbps, up: 1 Mbps}}\n"
    )
    assert command.run_here(log, "--network", network)[0] == 0
    ((emulation, origin),) = origins(Path("runs/mine-logged-on-network")).items()
    assert emulation.method == "FedAvg"
    assert origin.recording == origin.settings["method"]["log"]
    assert len(origin.recording) == 32
