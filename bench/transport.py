"""Errors of simulated transfers against real TCP, effect by effect: Markdown tables.

    python bench/transport.py tests/data/tcp_measured_sample.json

The file holds {"meta", "single": [{rtt_ms, congestion_control, direction, payload_bytes,
client_down_mbit_s, client_up_mbit_s, measured_s, median_s}], "shared": [{name, rep,
server_mbit_s, flows: [{direction, payload_bytes, client_mbit_s, rtt_ms, start_s, duration_s}]}],
"lossy": [{rtt_ms, loss_percent, congestion_control, direction, payload_bytes, client_mbit_s,
mean_s, standard_error_s}]}; the lists are optional. Durations run from connect() to the last byte
at the receiver.
"""

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import simpy

from emulator.common.units import format_size
from emulator.network.network import Delivery, Network
from emulator.network.tcp import Tcp

MBIT_BPS = 1e6 / 8  # one Mbit/s in bytes/s
FAST_MBIT_S = 10_000  # rate of unmeasured server links, far above those of clients
# Each adds one effect to the previous one.
VARIANTS: dict[str, tuple[bool, Tcp | None]] = {  # delay, transport
    "bytes / rate": (False, None),
    "+ delay": (True, None),
    "+ headers": (True, Tcp(handshake=False, slow_start=False, token_bucket=False)),
    "+ handshake": (True, Tcp(slow_start=False, token_bucket=False)),
    "+ slow start": (True, Tcp(token_bucket=False)),
    "+ token bucket": (True, Tcp()),
}


def simulated_s(
    flows: Sequence[dict[str, Any]],
    server_mbit_s: float = FAST_MBIT_S,
    delay: bool = True,
    transport: Tcp | None = None,
    seed: int = 0,
) -> list[float]:
    """Simulated seconds of each flow of a measurement; each flow has its own client."""
    env = simpy.Environment()
    rates_Bps = [flow["client_mbit_s"] * MBIT_BPS for flow in flows]
    network = Network(
        env,
        up_Bps=rates_Bps,
        down_Bps=rates_Bps,
        delay_s=[flow["rtt_ms"] / 2000 * delay for flow in flows],
        server_down_Bps=server_mbit_s * MBIT_BPS,
        server_up_Bps=server_mbit_s * MBIT_BPS,
        transport=transport,
        loss=[flow.get("loss_percent", 0) / 100 for flow in flows] if transport else None,
        stream=lambda client, _, number: np.random.default_rng([seed, client, number]),
    )
    send = {"down": network.download, "up": network.upload}
    took_s = [0.0] * len(flows)

    def transfer(client: int, flow: dict[str, Any]) -> Any:
        yield env.timeout(flow.get("start_s", 0.0))
        delivery: Delivery = yield send[flow["direction"]](client, flow["payload_bytes"])
        took_s[client] = delivery.finish_s - delivery.start_s

    for client, flow in enumerate(flows):
        env.process(transfer(client, flow))
    env.run()
    return took_s


def single_s(case: dict[str, Any], delay: bool = True, transport: Tcp | None = None) -> float:
    """Seconds of one flow alone."""
    flow = {"client_mbit_s": case[f"client_{case['direction']}_mbit_s"], **case}
    return simulated_s([flow], delay=delay, transport=transport)[0]


def makespan_s(flows: Sequence[dict[str, Any]], took_s: Sequence[float]) -> float:
    """From the first start to the last finish."""
    starts_s: list[float] = [flow["start_s"] for flow in flows]
    return max(map(sum, zip(starts_s, took_s, strict=True))) - min(starts_s)


def shared_cases(measured: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The repetitions of each case, by its name."""
    cases: dict[str, list[dict[str, Any]]] = {}
    for run in measured.get("shared", []):
        cases.setdefault(run["name"], []).append(run)
    return cases


def shared_s(
    runs: Sequence[dict[str, Any]], delay: bool = True, transport: Tcp | None = None
) -> dict[str, tuple[float, float]]:
    """{"makespan" | "mean": (measured, simulated)} seconds, mean over a case's repetitions."""
    real: list[tuple[float, float]] = []
    ours: list[tuple[float, float]] = []
    for run in runs:
        flows = run["flows"]
        real_s = [flow["duration_s"] for flow in flows]
        ours_s = simulated_s(flows, run["server_mbit_s"], delay, transport)
        for side, took_s in ((real, real_s), (ours, ours_s)):
            side.append((makespan_s(flows, took_s), statistics.mean(took_s)))
    pairs = zip(np.mean(real, axis=0).tolist(), np.mean(ours, axis=0).tolist(), strict=True)
    return dict(zip(("makespan", "mean"), pairs, strict=True))


def lossy_s(case: dict[str, Any], transfers: int = 300) -> tuple[float, float]:
    """Mean and standard error of a transfer with random loss, seconds."""
    tcp = Tcp(congestion=case["congestion_control"])
    took_s = [simulated_s([case], transport=tcp, seed=seed)[0] for seed in range(transfers)]
    return statistics.mean(took_s), statistics.stdev(took_s) / transfers**0.5


def lossy_table(measured: dict[str, Any]) -> str:
    """Means under random loss, each +- its standard error."""
    lines = ["| case | measured | simulated | error |", "| --- | --- | --- | --- |"]
    for case in measured.get("lossy", []):
        ours_s, ours_se_s = lossy_s(case)
        cells = (
            f"{case['loss_percent']:g} % loss, {case['direction']}, "
            f"{format_size(case['payload_bytes'])}, {case['client_mbit_s']:g} Mbps, "
            f"{case['rtt_ms']:g} ms, {case['congestion_control']}",
            f"{case['mean_s']:.3f} ± {case['standard_error_s']:.3f} s",
            f"{ours_s:.3f} ± {ours_se_s:.3f} s",
            percent(ours_s / case["mean_s"] - 1),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def table(measured: dict[str, Any]) -> str:
    """The error of every variant in % of the measured time."""
    rows = [["case", "measured", *VARIANTS]]
    for case in measured.get("single", []):
        rate = case[f"client_{case['direction']}_mbit_s"]
        name = (
            f"{case['direction']}, {format_size(case['payload_bytes'])}, {rate:g} Mbps, "
            f"{case['rtt_ms']:g} ms, {case['congestion_control']}"
        )
        real_s = case["median_s"]
        errors = [single_s(case, *variant) / real_s - 1 for variant in VARIANTS.values()]
        rows.append([name, f"{real_s:.4f} s", *map(percent, errors)])
    for name, runs in shared_cases(measured).items():
        variants = [shared_s(runs, *variant) for variant in VARIANTS.values()]
        for what in ("makespan", "mean"):
            real_s = variants[0][what][0]
            errors = [variant[what][1] / real_s - 1 for variant in variants]
            rows.append([f"{name}: {what}", f"{real_s:.4f} s", *map(percent, errors)])
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def percent(error: float) -> str:
    return f"{100 * error:+.1f} %"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python bench/transport.py MEASURED.json")
    data = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    print(table(data))
    if "lossy" in data:
        print(f"\n{lossy_table(data)}")
