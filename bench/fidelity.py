"""How far simulated transfers are from real TCP: a Markdown table.

    python bench/fidelity.py tests/data/tcp_measured_sample.json

The file holds {"meta", "single": [{rtt_ms, congestion_control, buffer_bytes, direction,
payload_bytes, client_down_mbit_s, client_up_mbit_s, median_s}]}: transfers measured one at a
time, each from connect() to the last byte at the receiver. docs/network.md shows what comes out.
"""

import json
import sys
from pathlib import Path
from typing import Any

import simpy

from emulator.network.transfer import Delivery, Network
from emulator.units import format_size

SERVER_BPS = 1e9 / 8  # far above any client's: the measured bottleneck is the client's link
MBIT_BPS = 1e6 / 8  # one Mbit/s in bytes/s


def simulated_s(case: dict[str, Any]) -> float:
    """Seconds that the emulator's network takes for a measured transfer."""
    env = simpy.Environment()
    network = Network(
        env,
        up_Bps=[case["client_up_mbit_s"] * MBIT_BPS],
        down_Bps=[case["client_down_mbit_s"] * MBIT_BPS],
        delay_s=[case["rtt_ms"] / 2000],
        server_down_Bps=SERVER_BPS,
        server_up_Bps=SERVER_BPS,
    )
    send = {"down": network.download, "up": network.upload}[case["direction"]]
    delivery = env.run(until=send(0, case["payload_bytes"]))
    assert isinstance(delivery, Delivery)
    return delivery.finish_s - delivery.start_s


def table(measured: dict[str, Any]) -> str:
    """One row a measured transfer; the error is relative to the measured median."""
    lines = [
        "| direction | RTT | size | link | measured | simulated | error |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in measured["single"]:
        real_s, ours_s = case["median_s"], simulated_s(case)
        rate = case[f"client_{case['direction']}_mbit_s"]
        cells = (
            case["direction"],
            f"{case['rtt_ms']:g} ms",
            format_size(case["payload_bytes"]),
            f"{rate:g} Mbps",
            f"{real_s:.3f} s",
            f"{ours_s:.3f} s",
            f"{100 * (ours_s / real_s - 1):+.0f} %",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python bench/fidelity.py MEASURED.json")
    print(table(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
