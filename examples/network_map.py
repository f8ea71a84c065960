"""A map of many networks: where is each method the fastest? See docs/howto/map_many_networks.md.

python examples/network_map.py
"""

import random
from collections import Counter

from emulator import Scenario

COUNT = 1000  # networks


def network(up_Mbps: float, rtt_ms: float) -> dict[str, object]:
    """The content of a network file: clients with rates around a median."""
    up = {"kind": "lognormal", "median": f"{up_Mbps:.4g} Mbps", "sigma": 0.5}
    clients = {"down": {**up, "median": f"{4 * up_Mbps:.4g} Mbps"}, "up": up}
    server = {"down": "1 Gbps", "up": "1 Gbps"}
    return {"network": {"server": server, "clients": {**clients, "rtt": f"{rtt_ms:.4g} ms"}}}


def main() -> None:
    """Replay two methods under all networks and print where each is the fastest."""
    draw = random.Random(0)
    networks = {
        f"network {n}": network(10 ** draw.uniform(-1, 2), draw.uniform(5, 300))
        for n in range(COUNT)
    }
    scenario = Scenario.read(
        "recordings/figure3.json.gz",
        changes={"training.seeds": [0]},
        methods=["LoRA", "FLASC 1/4 down, 1/16 up"],
    )
    results = scenario.run(networks, network_seeds="0-1", out="runs/map", keep="summary", workers=2)
    times: dict[tuple[str, int | None], dict[str, float]] = {}
    for each in results.outcomes:
        if each.time_to_target_s is not None:
            place = times.setdefault((each.variant, each.network_seed), {})
            place[each.method] = each.time_to_target_s
    print(Counter(min(of, key=of.__getitem__) for of in times.values()))


if __name__ == "__main__":
    main()
