"""Keys and values of scenarios: their meaning and their validation."""

import inspect
import json
import math
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, ValidationError

from emulator.common.distributions import Choice, LogNormal, Uniform
from emulator.runner.recording.entries import digest
from emulator.scenario.scenario import MAX_CLIENTS, Scenario
from emulator.simulation.clients.links import Correlation, FluidTransport, TcpTransport
from emulator.simulation.settings import METRICS
from flasc.common.settings import Wire, parse_fraction
from flasc.models.settings import Lora
from flasc.tasks.settings import Split
from flasc.training.settings import AdamW, Client, FedAdam, FedAvg

DATA = Path(__file__).parents[2] / "data"
LINK = {"down": "20 Mbps", "up": "5 Mbps"}
SMALLEST: dict[str, Any] = {
    "name": "small",
    "task": {"name": "20newsgroups"},
    "training": {"rounds": 3},
    "methods": {"LoRA": {"kind": "lora"}},
    "network": {"server": LINK, "clients": LINK},
}
# Every key that holds a number, beside the smallest scenario's.
FULL: dict[str, Any] = {
    "name": "full",
    "note": "More is in recordings/.",
    "network_seeds": [0, 1],
    "task": {
        "name": "20newsgroups", "clients": 20, "tokens": 16,
        "split": {"kind": "dirichlet", "alpha": 1.0},
    },
    "training": {
        "rounds": 3, "cohort": 2, "seeds": [1, 2],
        "target": {"accuracy": 0.5, "stop_after": 1},
        "evaluation": {"every": 2, "examples": 10, "test": True},
        "lora": {"rank": 4, "upper_layers": 2, "alpha": 8.0, "dropout": 0.2, "targets": ["query"]},
        "client": {
            "lr": 0.1, "momentum": 0.5, "batch": 8, "epochs": 2, "base_dropout": True,
            "optimizer": "adamw", "weight_decay": 0.1, "warmup": 2, "clip_norm": 1.0,
        },
        "server": {
            "kind": "adamw", "lr": 0.1, "beta1": 0.5, "beta2": 0.5, "eps": 1e-6,
            "weight_decay": 0.1,
            "schedule": {"kind": "inverse", "decay": 0.1, "warmup": 2},
        },
    },
    "methods": {
        "all": {"kind": "full", "client_lr": 0.1, "server_lr": 0.1},
        "head": {"kind": "head", "client_lr": 0.1, "server_lr": 0.1},
        "lora": {
            "kind": "lora", "rank": 2, "client_lr": 0.1, "server_lr": 0.1,
            "server_schedule": {"kind": "cosine", "rounds": 5, "final": 0.1},
        },
        "flasc": {"kind": "flasc", "rank": 2, "down": 0.5, "up": 0.25},
        "flasc later": {"kind": "flasc", "down": 0.5, "up": 0.25, "gamma": 0.5, "every": 2},
        "sparse": {
            "kind": "sparse_adapter", "rank": 2, "density": 0.5, "score": "snip",
            "dense_rounds": 2, "examples": 8,
        },
        "lth": {"kind": "adapter_lth", "gamma": 0.5, "every": 2},
        "tiers": {"kind": "flasc_tiers", "tiers": [{"share": 0.5, "down": 0.5, "up": 0.25}]},
        "ranks": {"kind": "rank_tiers", "tiers": [{"share": 0.5, "rank": 2}]},
        "het": {
            "kind": "het_lora", "tiers": [{"share": 0.5, "rank": 2}], "prune": 0.5, "penalty": 0.5,
        },
    },
    "network": {
        "server": LINK,
        "groups": {
            "a": {
                "share": 0.5,
                "down": {"kind": "lognormal", "median": "2 Mbps", "sigma": 0.5},
                "up": {"kind": "choice", "values": ["1 Mbps", "2 Mbps"], "weights": [1.0, 3.0]},
                "rtt": {"kind": "uniform", "low": "10 ms", "high": "20 ms"},
            },
            "b": {"share": 1.5, **LINK, "rtt": "40 ms", "loss": 0.01},
            "normal": {
                "share": 0.5,
                "down": {
                    "kind": "normal", "mean": "5 Mbps", "sd": "2 Mbps", "low": "1 Mbps",
                    "high": "9 Mbps",
                },
                "up": {"kind": "empirical", "values": ["1 Mbps", "2 Mbps"]},
                "correlation": {"up": 0.5, "rtt": 0.5, "loss": 0.5, "compute": 0.5},
                "half_duplex": True,
                "cells": {"clients": 2, "down": "9 Mbps", "up": "8 Mbps", "half_duplex": True},
            },
            "ratio": {
                "share": 0.5, "down": "4 Mbps", "up": {"ratio": 0.25},
                "availability": {"kind": "on_off", "on": "90 ms", "off": "10 ms"},
            },
            "day": {
                "share": 0.5, **LINK,
                "availability": {
                    "kind": "diurnal", "start": "9 ms", "length": "9 ms", "period": "50 ms",
                    "clock": "20 ms",
                },
            },
            "varying": {
                "share": 0.5,
                "down": {"kind": "trace", "file": f"{DATA}/capacity_sample.csv", "scale": 0.5},
                "up": {
                    "kind": "markov", "horizon": "9 ms", "scale": 0.5,
                    "states": [
                        {"rate": "1 Mbps", "dwell": "5 ms"}, {"rate": "2 Mbps", "dwell": "3 ms"},
                    ],
                },
                "cells": {
                    "clients": 2, "up": "9 Mbps",
                    "down": {"kind": "diurnal", "mean": "9 Mbps", "depth": 0.5, "offset": "9 ms"},
                },
            },
            "devices": {
                "share": 0.5,
                "devices": {
                    "format": "flash", "file": f"{DATA}/flash_sample.json", "step": "9 ms",
                },
            },
        },
    },
    "compute": {"per_example": {"kind": "lognormal", "median": "5 ms", "sigma": 0.3}},
}  # fmt: skip
SERVERS = [
    {"kind": "fedadam", "lr": 0.1, "beta1": 0.5, "beta2": 0.5, "tau": 0.01},
    {"kind": "fedavg", "lr": 0.5},
]
ROWS = {
    "file": "rows.csv", "clients": 20, "tokens": 16, "held_out": 0.2,
    "split": {"kind": "dirichlet", "column": "kind", "alpha": 1.0, "pooled": 0.5},
}  # fmt: skip
OWN = {
    "macro_f1": {"name": "text_file", "scored_by": "macro F1", **ROWS},
    **{
        key: {"name": "instructions", "model": "a/b", "scored_by": metric, **ROWS}
        for key, metric in METRICS.items()
        if key != "macro_f1"
    },
}
USERS = {"name": "friends", "clients": 20, "split": {"kind": "natural", "pooled": 0.5}}


def put(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """`data` with `value` at `path`; missing mappings are created."""
    if not path:
        return value
    if isinstance(data, list):
        return [put(x, path[1:], value) if i == path[0] else x for i, x in enumerate(data)]
    return {**(data or {}), path[0]: put((data or {}).get(path[0]), path[1:], value)}


def at(dotted: str, value: Any, data: Any = SMALLEST) -> Scenario:
    return Scenario.model_validate(put(data, tuple(dotted.split(".")), value))


def leaves(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    if isinstance(data, dict | list):
        items = data.items() if isinstance(data, dict) else enumerate(data)
        return [leaf for key, inside in items for leaf in leaves(inside, (*path, key))]
    return [(path, data)]


LATE = {"late": "accept", "staleness": {"kind": "polynomial", "a": 0.5}}
POLICIES = [
    {"kind": "overselection", "select": 3, "first": 2, **LATE},
    {"kind": "deadline", "deadline": "90 ms", "select": 3, "first": 2, **LATE},
    {"kind": "buffered", "concurrency": 3, "buffer": 2},
    {"kind": "asynchronous", "concurrency": 3},
]
COMPUTES = [
    {"speed": {"kind": "choice", "values": ["1 GFLOP/s"]}, "utilisation": 0.5, "max_rank": 4.0}
]
APPLICATIONS = [
    {"requests": 3, "calls": 2, "parallel": 2, "beside": 4, "processing": "5 ms", "waiting": "2 s"},
    {"preset": "flower", "arrays": 3},
]
TABLE = {
    "file": f"{DATA}/speedtests_sample.csv",
    "columns": {"down": "downlink_Mbps", "up": "uplink_Mbps", "rtt": "latency_ms"},
    "where": {"radio_type": ["4G", "NSA low"]},
}
LORA = {"lora": {"kind": "lora"}}
# Privacy accounting needs clients that are always available.
PRIVATE = put(
    put(FULL, ("training", "dp"), {"clip": 0.5, "noise": 1.0, "delta": 1e-5}),
    ("network", "groups"),
    {"b": FULL["network"]["groups"]["b"]},
)
PRIVATE = put(PRIVATE, ("methods",), LORA)
WHOLE = [
    FULL,
    *(put(FULL, ("compute",), compute) for compute in COMPUTES),
    *(put(FULL, ("training", "server"), server) for server in SERVERS),
    *(put(FULL, ("policy",), policy) for policy in POLICIES),
    *(put(FULL, ("network", "application"), application) for application in APPLICATIONS),
    put(FULL, ("task",), USERS),
    *(
        put(put(put(FULL, ("task",), task), ("training", "target"), {key: 0.5}), ("methods",), LORA)
        for key, task in OWN.items()
    ),
    put(FULL, ("network",), {"server": FULL["network"]["server"], "clients": {"table": TABLE}}),
    PRIVATE,
]
LEAVES = {path: (data, value) for data in WHOLE for path, value in leaves(data)}
NUMBERS = [p for p, (_, v) in LEAVES.items() if isinstance(v, int | float) and v is not True]
FLOATS = [path for path in NUMBERS if isinstance(LEAVES[path][1], float)]
INTEGERS = [path for path in NUMBERS if isinstance(LEAVES[path][1], int)]
QUANTITIES = [
    path
    for path, (_, v) in LEAVES.items()
    if isinstance(v, str) and v.partition(" ")[2] in ("Mbps", "ms")
]


def ids(path: Any) -> str:
    return ".".join(map(str, path))


# -- all models are searched, so that no number is forgotten here


def fields_that_hold_numbers(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if annotation in (int, float):
        return True
    if origin is Annotated:
        return fields_that_hold_numbers(get_args(annotation)[0])
    inner = get_args(annotation) if origin in (Union, UnionType, list, dict) else ()
    return any(map(fields_that_hold_numbers, inner))


def models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inside = (models_in(f.annotation) for f in annotation.model_fields.values())
        return {annotation}.union(*inside)
    if get_origin(annotation) is Literal:
        return set()
    args = get_args(annotation)
    return set().union(*map(models_in, args[:1] if get_origin(annotation) is Annotated else args))


MODELS = sorted(models_in(Scenario), key=lambda model: model.__name__)


def test_the_full_scenarios_show_every_field_that_holds_a_number():
    shown = {str(key) for path in LEAVES for key in path}
    for model in MODELS:
        for name, field in model.model_fields.items():
            assert not fields_that_hold_numbers(field.annotation) or name in shown, (model, name)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_is_strict_frozen_and_refuses_unknown_keys(model):
    config = model.model_config
    assert (config["strict"], config["frozen"], config["extra"]) == (True, True, "forbid")
    assert inspect.getdoc(model)


@pytest.mark.parametrize("data", WHOLE)
def test_the_full_scenarios_are_fine(data):
    assert Scenario.model_validate(data)


BOUNDS = [("normal", "down", bound) for bound in ("low", "high")]  # may be left open


@pytest.mark.parametrize("path", [*NUMBERS, *QUANTITIES], ids=ids)
@pytest.mark.parametrize(
    "bad",
    [math.nan, math.inf, -math.inf, True, False, "1e999", "nan", "", None, 10**400, [], {}],
    ids=lambda bad: str(bad)[:9],
)
def test_no_number_can_be_anything_else(path, bad):
    optional = {
        "rank",
        "upper_layers",
        "max_rank",
        "client_lr",
        "server_lr",
        "examples",
        "arrays",
        "weights",
        "select",
        "first",
        "clip_norm",
    }
    tiers = path[-3:-2] == ("tiers",)
    if bad is None and not tiers and (path[-1] in optional or path[-3:] in BOUNDS):
        return
    with pytest.raises(ValidationError):
        Scenario.model_validate(put(LEAVES[path][0], path, bad))


@pytest.mark.parametrize("path", NUMBERS, ids=ids)
@pytest.mark.parametrize("bad", ["1", "0.5", "1.0"])
def test_text_is_no_number(path, bad):
    with pytest.raises(ValidationError):
        Scenario.model_validate(put(LEAVES[path][0], path, bad))


@pytest.mark.parametrize("path", NUMBERS, ids=ids)
def test_no_number_may_be_negative(path):
    if path[-2] == "correlation":
        return
    with pytest.raises(ValidationError):
        Scenario.model_validate(put(LEAVES[path][0], path, -1))


@pytest.mark.parametrize("path", INTEGERS, ids=ids)
def test_a_whole_number_has_no_fraction_and_fits(path):
    for bad in (1.0, 1.5, 2**63):
        with pytest.raises(ValidationError):
            Scenario.model_validate(put(LEAVES[path][0], path, bad))


BELOW_ONE = {"momentum", "beta1", "beta2", "dropout", "loss"}
BETWEEN = {"delta"}  # above 0 and below 1


@pytest.mark.parametrize("path", [p for p in FLOATS if p[-1] not in BETWEEN], ids=ids)
def test_a_whole_number_will_do_for_a_float_and_becomes_one(path):
    if path[-1] == "held_out":  # above 0 and below 1/2
        return
    whole = 0 if path[-1] in BELOW_ONE else 1
    read: Any = Scenario.model_validate(put(LEAVES[path][0], path, whole))
    for key in path:
        read = read[key] if isinstance(read, dict | list) else getattr(read, key)
    assert type(read) is float
    assert read == whole


@pytest.mark.parametrize("path", QUANTITIES, ids=ids)
def test_a_quantity_needs_its_own_unit(path):
    value = LEAVES[path][1]
    for bad in (20, 1.5, "20", "20 parsecs", "-1 Mbps", "-1 ms", "5 ms" if "M" in value else "5 b"):
        with pytest.raises(ValidationError):
            Scenario.model_validate(put(LEAVES[path][0], path, bad))


TRACE = {"kind": "trace", "file": f"{DATA}/capacity_sample.csv"}
ON, OFF = {"rate": "1 Mbps", "dwell": "5 s"}, {"rate": 0, "dwell": "5 s"}


@pytest.mark.parametrize(("path", "value"), [
    ("training.evaluation.test", 1),
    ("training.client.base_dropout", "yes"),
    ("name", 5),
    ("name", "two words"),
    ("name", "line\n"),
    ("name", ""),
    ("training.seeds", []),
    ("training.seeds", [1, 1]),
    ("training.seeds", 1),
    ("training.lora.targets", []),
    ("training.lora.targets", [""]),
    ("training.target.stop_after", "ever"),
    ("methods", {}),
    ("methods", {"": {"kind": "lora"}}),
    ("methods.LoRA.kind", "LoRA"),
    ("training.server", {"kind": "sgd"}),
    ("network.groups", {}),
    ("network.clients.up", {"kind": "lognormal", "median": "1 Mbps", "sigma": 11}),
    ("network.clients.up", {"kind": "choice", "values": []}),
    ("network.clients.up", {"kind": "choice", "values": ["1 Mbps"], "weights": [1, 2]}),
    ("network.clients.up", {"kind": "choice", "values": ["1 Mbps"], "weights": [0]}),
    ("network.clients.up", {"kind": "choice", "values": ["1 bps"] * 2, "weights": [1e308] * 2}),
    ("network.clients.up", {"ratio": 0}),
    ("network.clients.up", {"ratio": "1 Mbps"}),
    ("network.clients.up", {"ratio": 1, "kind": "uniform"}),
    ("network.clients.down", {"ratio": 1}),
    ("network.clients.correlation", 1.1),
    ("network.clients.correlation", {"down": 0.5}),
    ("network.clients.correlation", "0.5"),
    ("network.clients.correlation", True),
    ("network.clients.cells", {"clients": 0, **LINK}),
    ("network.clients.cells", {"clients": 5, "down": "1 Mbps"}),
    ("network.clients.cells", {"clients": 5, **LINK, "up": {"ratio": 0.5}}),
    ("network.clients.down", "device"),
    ("network.clients.down", "devices"),
    ("network.clients.down", {"kind": "trace"}),
    ("network.clients.down", {"kind": "trace", "file": "no_such_file.csv"}),
    ("network.clients.down", {**TRACE, "scale": 0}),
    ("network.clients.down", {**TRACE, "offset": 5}),
    ("network.clients.down", {**TRACE, "offset": "anywhere"}),
    ("network.clients.down", {**TRACE, "format": "mahimahi"}),
    ("network.clients.rtt", TRACE),
    ("network.clients.down", {"kind": "markov", "states": [ON]}),
    ("network.clients.down", {"kind": "markov", "states": [OFF, OFF]}),
    ("network.clients.down", {"kind": "markov", "states": [ON, {**OFF, "dwell": 0}]}),
    ("network.clients.down", {"kind": "markov", "states": [ON, OFF], "horizon": "5000 d"}),
    ("network.clients.down", {"kind": "diurnal", "mean": "1 Mbps", "depth": 1.1}),
    ("network.clients.down", {"kind": "diurnal", "mean": TRACE, "depth": 1}),
    ("network.clients.devices", {"format": "flash", "file": f"{DATA}/flash_sample.json"}),
    ("network.clients.devices", {"format": "flash", "file": f"{DATA}/fedscale_sample.json"}),
    ("compute", {"per_example": "devices"}),
    ("network.clients.half_duplex", 1),
    ("network.clients.preset", "6g"),
])  # fmt: skip
def test_refused(path, value):
    with pytest.raises(ValidationError):
        at(path, value)


# -- meaning of values


def test_units_are_converted_to_numbers():
    network = Scenario.model_validate(FULL).network
    group = network.groups["a"]
    assert group.down == LogNormal[float](kind="lognormal", median=2e6, sigma=0.5)
    assert group.up == Choice[float](kind="choice", values=[1e6, 2e6], weights=[1.0, 3.0])
    assert group.rtt == Uniform[float](kind="uniform", low=0.010, high=0.020)
    assert (network.groups["b"].down, network.groups["b"].rtt) == (20e6, 0.040)
    assert (network.server.down, network.server.up) == (20e6, 5e6)


@pytest.mark.parametrize("text", ["8 Mbps", "1 MB/s", "8000 kbit/s", "0.008 Gb/s"])
def test_bits_and_bytes_agree(text):
    assert at("network.clients.up", text).network.clients.up == 8e6


def test_a_correlation_alone_is_ups():
    assert at("network.clients.correlation", -0.5).network.clients.correlation.up == -0.5
    assert at("network.clients.correlation", 1).network.clients.correlation == Correlation(up=1.0)


def test_up_is_either_a_ratio_of_down_or_correlated_with_it():
    ratio = put(SMALLEST, ("network", "clients", "up"), {"ratio": "1/16"})
    assert at("network.clients.correlation", {"rtt": -0.5}, ratio)
    with pytest.raises(ValidationError, match="ratio of down, and a correlation"):
        at("network.clients.correlation", 0.5, ratio)


def test_a_constant_needs_no_kind_and_a_law_does():
    with pytest.raises(ValidationError, match="missing"):
        at("network.clients.up", {"low": "1 Mbps", "high": "2 Mbps"})


def test_defaults():
    read = Scenario.model_validate(SMALLEST)
    assert (read.task.model, read.task.clients, read.task.tokens) == ("minilm", 350, 128)
    assert read.task.split == Split(kind="dirichlet", alpha=0.1)
    training = read.training
    assert (training.cohort, training.seeds, training.target) == (10, [0], None)
    assert training.evaluation.model_dump() == {"every": 1, "examples": None, "test": False}
    assert training.lora == Lora(rank=16, alpha=16, dropout=0.1, targets=None)
    assert training.client == Client(lr=0.1, momentum=0.9, batch=16, epochs=1, base_dropout=False)
    assert training.server == AdamW(lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01)
    assert training.wire == Wire(format="auto", values="fp32")
    assert read.network.transport == TcpTransport(kind="tcp", congestion="cubic")
    assert all(v for k, v in read.network.transport.model_dump().items() if k != "kind")
    assert read.network.charge == "encoded"
    clients = read.network.clients
    assert (clients.preset, clients.half_duplex, clients.cells) == (None, False, None)
    assert clients.correlation == Correlation(up=0.0, rtt=0.0, loss=0.0, compute=0.0)
    assert (read.network.clients.rtt, read.compute, read.vary) == (0.0, None, {})


def test_a_transports_name_alone_is_that_kind():
    assert at("network.transport", "fluid").network.transport == FluidTransport(kind="fluid")
    reno = at("network.transport", {"kind": "tcp", "congestion": "reno"}).network.transport
    assert reno == TcpTransport(kind="tcp", congestion="reno")
    with pytest.raises(ValidationError, match="'cubic' or 'reno'"):
        at("network.transport", {"kind": "tcp", "congestion": "bbr"})


def test_loss_needs_tcp():
    assert at("network.clients.loss", "1 %").network.clients.loss == 0.01
    with pytest.raises(ValidationError, match="loss with transport tcp"):
        at("network.transport", "fluid", put(SMALLEST, ("network", "clients", "loss"), 0.1))


def test_a_server_that_names_no_kind_is_adamw():
    assert at("training.server", {"lr": 0.5}).training.server == AdamW(lr=0.5)
    assert at("training.server.kind", "fedavg").training.server == FedAvg(kind="fedavg", lr=1.0)
    fedadam = FedAdam(kind="fedadam", lr=0.01, beta1=0.9, beta2=0.99, tau=1e-3)
    assert at("training.server.kind", "fedadam").training.server == fedadam


def test_either_groups_or_clients():
    groups = {"all": {"share": 1, **LINK}}
    with pytest.raises(ValidationError, match="found both"):
        at("network.groups", groups)
    with pytest.raises(ValidationError, match="found neither"):
        at("network.clients", None)
    assert at("network", {"server": LINK, "groups": groups}).network.clients is None


def test_a_fleet_is_one_that_memory_holds():
    assert at("task.clients", MAX_CLIENTS)
    with pytest.raises(ValidationError, match="at most 10,000,000 clients"):
        at("task.clients", MAX_CLIENTS + 1)


def test_a_cohort_is_at_most_everybody():
    assert at("training.cohort", 350)
    with pytest.raises(ValidationError, match="cohort of at most all clients"):
        at("training.cohort", 351)


def test_settings_cannot_be_changed():
    read = Scenario.model_validate(FULL)
    parts = (read, read.task, read.task.split, read.training, read.training.server, read.network,
             read.network.groups["a"].up, read.methods["flasc"], read.compute)  # fmt: skip
    for part in parts:
        name = next(iter(type(part).model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, name, getattr(part, name))


def test_defaults_are_not_shared_between_scenarios():
    first, second = (Scenario.model_validate(SMALLEST) for _ in range(2))
    assert first.training.seeds is not second.training.seeds


# -- one training, one digest


def settings_digest(method: dict[str, Any], **training: Any) -> str:
    data = put(SMALLEST, ("methods",), {"M": method})
    data = put(data, ("training",), {"rounds": 3, **training})
    return digest(Scenario.model_validate(data).training_settings("M", 0).model_dump(mode="json"))


@pytest.mark.parametrize("spelled", ["1/4", 0.25, "25 %", "25%", " 2 / 8 ", "25.0 %"])
def test_a_densitys_spelling_does_not_make_another_training(spelled):
    same = settings_digest({"kind": "flasc", "down": 0.25, "up": 1.0})
    assert settings_digest({"kind": "flasc", "down": spelled, "up": 1}) == same
    assert settings_digest({"kind": "flasc", "down": 0.26, "up": 1}) != same


@given(st.integers(1, 100_000))
def test_percent_is_read_exactly(thousandths):
    percent = f"{thousandths // 1000}.{thousandths % 1000:03d} %"
    assert parse_fraction(percent) == float(f"{thousandths}e-5")
    assert parse_fraction(f"{thousandths}/100000") == float(f"{thousandths}e-5")


def test_a_methods_own_values_make_the_same_training_as_the_sections():
    own = settings_digest({"kind": "lora", "rank": 4, "client_lr": 1, "server_lr": 0.5})
    section = settings_digest(
        {"kind": "lora"}, lora={"rank": 4}, client={"lr": 1.0}, server={"lr": 0.5}
    )
    assert own == section
    assert own != settings_digest({"kind": "lora"})


def test_a_schedule_is_another_training_unless_it_is_constant():
    cosine = {"kind": "cosine", "rounds": 20, "final": "10 %"}
    plain = settings_digest({"kind": "lora"})
    section = settings_digest({"kind": "lora"}, server={"schedule": cosine})
    assert section != plain
    assert settings_digest({"kind": "lora", "server_schedule": cosine}) == section
    assert settings_digest({"kind": "lora"}, server={"schedule": "constant"}) == plain
    own = {"kind": "lora", "server_schedule": "constant"}
    assert settings_digest(own, server={"schedule": cosine}) == plain


@pytest.mark.parametrize(
    ("method", "training", "wanted"),
    [
        ({"kind": "lora"}, {}, "6e70d361f1f84e5423cfeb2cb416479e"),
        ({"kind": "flasc", "down": 0.25, "up": 1.0}, {}, "d6524e121aa4789bae16c8abbb25ef09"),
        ({"kind": "lora"}, {"wire": {"values": "fp16"}}, "47c2706b113dcba2bc80f96e419bf1a8"),
    ],
)
def test_trainings_of_before_a_key_came_keep_their_digest(method, training, wanted):
    """Golden: existing recordings have these names."""
    assert settings_digest(method, **training) == wanted


def test_a_methods_own_wire_is_another_training():
    own = settings_digest({"kind": "lora", "wire": {"values": "int8"}})
    assert own == settings_digest({"kind": "lora"}, wire={"values": "int8"})
    digests = [
        settings_digest({"kind": "lora"}, wire={"values": "int8", **more})
        for more in ({}, {"rounding": "stochastic"}, {"up": {"values": "int4"}})
    ]
    assert len({own, *digests}) == 3


def test_privacy_is_another_training_by_what_is_learned_with():
    dp = {"clip": 1.0, "noise": 0.5, "delta": 1e-5}
    private = settings_digest({"kind": "lora"}, dp=dp)
    assert private != settings_digest({"kind": "lora"})
    for other in ({"delta": 1e-6}, {"sampling": "poisson"}):
        assert settings_digest({"kind": "lora"}, dp=dp | other) == private
    for other in ({"clip": 2.0}, {"noise": 1.0}, {"scaling": "mean"}):
        assert settings_digest({"kind": "lora"}, dp=dp | other) != private
    assert settings_digest({"kind": "lora"}, dp=dp, cohort=5) != private


@pytest.mark.parametrize(
    ("wire", "down", "up"),
    [
        ({}, ("fp32", "nearest"), ("fp32", "nearest")),
        ({"values": "fp16", "up": {"values": "int8"}}, ("fp16", "nearest"), ("int8", "nearest")),
        (
            {"values": "int4", "rounding": "stochastic", "down": {"rounding": "nearest"}},
            ("int4", "nearest"),
            ("int4", "stochastic"),
        ),
        (
            {"rounding": "stochastic", "up": {"values": "int8"}},
            ("fp32", "nearest"),  # floats always round to nearest
            ("int8", "stochastic"),
        ),
    ],
)
def test_each_way_has_its_own_values(wire, down, up):
    found = Wire.model_validate(wire)
    assert (found.way("down"), found.way("up")) == (down, up)


def test_what_the_network_and_the_length_are_does_not_matter_to_a_training():
    slow = at("network.clients.up", "1 Mbps")
    longer = at("training.rounds", 300)
    settings = Scenario.model_validate(SMALLEST).training_settings("LoRA", 0)
    assert slow.training_settings("LoRA", 0) == longer.training_settings("LoRA", 0) == settings
    assert at("task.tokens", 64).training_settings("LoRA", 0) != settings


def test_a_rank_means_nothing_to_a_method_without_lora():
    for kind in ("head", "full"):
        assert settings_digest({"kind": kind, "rank": 4}) == settings_digest({"kind": kind})


@pytest.mark.parametrize(("method", "golden"), [
    ({"kind": "lora"}, "6e70d361f1f84e5423cfeb2cb416479e"),
    ({"kind": "flasc", "down": 0.25, "up": 0.25}, "b9cd82867ab177687816ba263ef5dd09"),
    ({"kind": "sparse_adapter", "density": 0.25}, "114bffc073928ee6b2bda898b39973e1"),
])  # fmt: skip
def test_trainings_that_use_no_later_key_keep_their_digest(method, golden):
    """Golden, from before these settings existed: existing recordings have this digest."""
    assert settings_digest(method) == golden


@pytest.mark.parametrize(("method", "later"), [
    ({"kind": "flasc", "down": 0.25, "up": 0.25}, {"gamma": 1, "every": 1}),
    ({"kind": "sparse_adapter", "density": 0.25},
     {"score": "magnitude", "dense_rounds": 1, "examples": 16}),
])  # fmt: skip
def test_a_later_key_at_its_default_makes_the_same_training(method, later):
    assert settings_digest(method | later) == settings_digest(method)
    for key, value in later.items():
        changed = {key: "random" if key == "score" else value / 2 if key == "gamma" else value + 1}
        assert settings_digest(method | changed) != settings_digest(method)


def test_one_density_for_both_ways_makes_the_same_training():
    both = {"kind": "flasc", "down": 0.25, "up": 0.25}
    assert settings_digest({"kind": "flasc", "density": "1/4"}) == settings_digest(both)
    assert settings_digest({"kind": "flasc", "density": 0.5}) != settings_digest(both)
    tiers = [{"share": 1.0, "down": 0.5, "up": 0.5}, {"share": 2.0, "down": 0.25, "up": 0.125}]
    short = [{"share": 1, "density": 0.5}, tiers[1]]
    kind = {"kind": "flasc_tiers"}
    assert settings_digest(kind | {"tiers": short}) == settings_digest(kind | {"tiers": tiers})


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("int4", {"values": "int4"}),
        ("rice", {"format": "rice"}),
        ({"up": "int8"}, {"up": {"values": "int8"}}),
    ],
)
def test_a_wire_may_be_the_name_of_its_values_or_its_format_alone(short, long):
    assert trained(wire=short) == trained(wire=long)
    method = {"kind": "flasc", "down": 0.25, "up": 0.25}
    assert settings_digest(method | {"wire": short}) == settings_digest(method | {"wire": long})
    assert settings_digest(method | {"wire": short}) != settings_digest(method)


def test_a_tiers_rank_is_at_most_the_servers():
    ranks = {"kind": "rank_tiers", "tiers": [{"share": 1, "rank": 4}, {"share": 1, "rank": 17}]}
    with pytest.raises(ValidationError, match=r"found a tier of rank 17; .* 16"):
        at("methods", {"M": ranks})
    assert at("methods", {"M": ranks | {"rank": 32}})


@pytest.mark.parametrize("share", ["1/3", "70 %", 2, 0.5])
def test_shares_are_fractions_and_relative(share):
    tiers = [{"share": share, "rank": 1}]
    assert at("methods", {"M": {"kind": "het_lora", "tiers": tiers}})
    for bad in (0, -1, "0", "a third", None):
        with pytest.raises(ValidationError):
            at("methods", {"M": {"kind": "het_lora", "tiers": [{"share": bad, "rank": 1}]}})


def test_settings_survive_json():
    for method in FULL["methods"]:
        settings = Scenario.model_validate(FULL).training_settings(method, 1)
        again = type(settings).model_validate(json.loads(settings.model_dump_json()))
        assert again == settings


def trained(**keys):
    return Scenario.model_validate(SMALLEST | {"training": {"rounds": 3, **keys}}).training


def test_seeds_may_be_a_range():
    assert trained(seeds="0-2") == trained(seeds=[0, 1, 2])
    assert trained(seeds=" 5 - 5 ").seeds == [5]


@pytest.mark.parametrize("seeds", ["2-0", "0-1000", "a-b", "0", "-1-2", "", 3, True])
def test_what_is_no_range_of_seeds(seeds):
    with pytest.raises(ValidationError, match=r"range, like 0-2|valid list"):
        trained(seeds=seeds)


@pytest.mark.parametrize("target", ["10 %", "1/10", 0.1])
def test_a_target_may_be_its_accuracy_alone(target):
    assert trained(target=target) == trained(target={"accuracy": target})


@pytest.mark.parametrize("target", [True, "ten", 1.5, []])
def test_what_is_no_target(target):
    with pytest.raises(ValidationError):
        trained(target=target)
