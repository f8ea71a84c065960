"""What others call the things that a scenario names: too far from ours for a spelling hint."""

from collections.abc import Collection

_OURS = {
    # policies and methods, by the papers that they are from
    "async": ("asynchronous",),
    "fedasync": ("asynchronous",),
    "fedavg": ("lora", "synchronous"),
    "fedbuff": ("buffered",),
    "fedit": ("lora",),
    "sync": ("synchronous",),
    # links
    "bandwidth": ("down", "up"),
    "delay": ("rtt",),
    "downlink": ("down",),
    "download": ("down",),
    "latency": ("rtt",),
    "loss_rate": ("loss",),
    "packet_loss": ("loss",),
    "ping": ("rtt",),
    "rate": ("down", "up"),
    "round_trip": ("rtt",),
    "speed": ("down", "up"),
    "throughput": ("down", "up"),
    "uplink": ("up",),
    "upload": ("up",),
}


def ours(name: str, allowed: Collection[str]) -> list[str]:
    """Those of `allowed` that others call `name`."""
    word = name.casefold().replace("-", "_").replace(" ", "_")
    return [each for each in _OURS.get(word, ()) if each in allowed]
