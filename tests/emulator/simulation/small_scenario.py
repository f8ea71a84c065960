"""A small scenario whose times follow from arithmetic, and its rows by kind."""

from emulator.scenario.scenario import Scenario


def scenario(training=None, network=None, **keys):
    clients = {"down": "8 Mbps", "up": "0.8 Mbps", "rtt": "100 ms"}
    return Scenario.model_validate(
        {
            "name": "closed-form",
            "task": {"name": "20newsgroups", "clients": 30},
            "training": {"rounds": 4, "cohort": 10, **(training or {})},
            "methods": {"LoRA": {"kind": "lora"}},
            "network": {
                "server": {"down": "1 Gbps", "up": "1 Gbps"},
                "clients": clients,
                "transport": "fluid",
                **(network or {}),
            },
            **keys,
        }
    )


def of(kind, rows):
    return [row for row in rows if isinstance(row, kind)]


POISSON = {"clip": 1.0, "noise": 1.0, "delta": 1e-5, "sampling": "poisson"}
