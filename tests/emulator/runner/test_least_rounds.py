"""The least times that `check` shows against what is then simulated."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from emulator.runner.estimates import LeastRounds, Messages
from emulator.scenario.scenario import Scenario
from emulator.simulation.records import Round, Row, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

ROUNDING = 1 - 1e-9
LEVELS = st.sampled_from([0, 0.3, 2, 9, 40])
Case = tuple[dict[str, Any], int, int]


def drawn(unit: str, low: float, high: float) -> st.SearchStrategy[Any]:
    one = st.floats(low, high).map(lambda x: f"{x:.4g} {unit}")
    return one | st.builds(
        lambda median, sigma: {"kind": "lognormal", "median": median, "sigma": sigma},
        one, st.floats(0.1, 1),
    )  # fmt: skip


def rates(folder: Any) -> st.SearchStrategy[Any]:
    markov = st.lists(LEVELS, min_size=2, max_size=3).filter(any).map(
        lambda found: {
            "kind": "markov", "horizon": "20 s",
            "states": [{"rate": f"{x:.3g} Mbps" if x else 0, "dwell": "1 s"} for x in found],
        }
    )  # fmt: skip
    trace = st.lists(LEVELS, min_size=2, max_size=6).filter(any).map(
        lambda found: {"kind": "trace", "file": written(folder, found)}
    )  # fmt: skip
    return drawn("Mbps", 0.1, 50) | markov | trace


def written(folder: Any, found: list[float]) -> str:
    path = folder / f"{hash(tuple(found)):x}.csv"
    rows = "".join(f"{i / 2},{rate:.3g}\n" for i, rate in enumerate(found))
    path.write_text("time_s,rate_Mbps\n" + rows + f"{len(found) / 2},1\n")
    return str(path)


def cases(folder: Any) -> st.SearchStrategy[Case]:
    rate, shared = rates(folder), drawn("Mbps", 1, 100) | rates(folder)
    cells = st.fixed_dictionaries(
        {"clients": st.integers(1, 8), "down": shared, "up": shared},
        optional={"half_duplex": st.booleans()},
    )
    clients = st.fixed_dictionaries(
        {"down": rate, "up": rate | st.just({"ratio": 0.25}), "rtt": drawn("ms", 1, 300)},
        optional={"cells": cells, "half_duplex": st.booleans(), "loss": st.just(0.01)},
    )
    transport = st.sampled_from(
        ["tcp", "fluid", {"token_bucket": False}, {"handshake": False}, {"slow_start": False}]
    )
    application = st.sampled_from([
        "raw", "raw", "https", "grpc", {"preset": "flower", "arrays": 5},
        {"requests": 7, "parallel": 3, "calls": 2, "processing": "5 ms"},
    ])  # fmt: skip
    policy = st.sampled_from([
        "synchronous", "synchronous", {"kind": "overselection", "select": 8, "first": 4},
        {"kind": "deadline", "deadline": "2 s", "first": 3},
        {"kind": "deadline", "deadline": "1 s", "late": "accept"},
        {"kind": "buffered", "concurrency": 6, "buffer": 3},
    ])  # fmt: skip
    whole = st.fixed_dictionaries({
        "clients": clients, "server": st.fixed_dictionaries({"down": shared, "up": shared}),
        "transport": transport, "application": application, "policy": policy,
        "seed": st.integers(0, 9),
        "selection": st.sampled_from(["uniform", "uniform", "oort"]),
    })  # fmt: skip
    return st.tuples(whole, st.integers(1, 100_000), st.integers(1, 100_000))


def scenario(
    clients: Any,
    server: Any,
    transport: Any,
    policy: Any = "synchronous",
    application: Any = "raw",
    seed: int = 0,
    **keys: Any,
) -> Scenario:
    if transport in ("fluid", {"handshake": False}):
        application = "raw"  # others are refused
    if transport == "fluid":
        clients = {key: value for key, value in clients.items() if key != "loss"}
    return Scenario.model_validate(
        {
            "name": "least",
            "task": {"name": "20newsgroups", "clients": 20},
            "training": {"rounds": 4, "cohort": 5, "seeds": [seed]},
            "methods": {"LoRA": {"kind": "lora"}},
            "network": {
                "clients": clients,
                "server": server,
                "transport": transport,
                "application": application,
            },
            "policy": policy,
            **keys,
        }
    )


def least_and_simulated(found: Scenario, down: int, up: int) -> tuple[list[float], list[Row]]:
    sizes = {"encoded": {"down": down, "up": up}, "values": {"down": down, "up": up}}
    least = LeastRounds(found).seconds(Messages(down, up, "x", sizes))
    trainer = StubTrainer(down_bytes=down, up_bytes=up)
    return least, simulate(found, found.training.seeds[0], trainer)


def durations(rows: list[Row]) -> list[float]:
    return [row.finish_s - row.start_s for row in rows if isinstance(row, Round)]


def tasks(rows: list[Row]) -> list[float]:
    ends: dict[tuple[int, int], list[float]] = {}
    for row in rows:
        if isinstance(row, Transfer) and row.outcome == "used":
            ends.setdefault((row.round, row.client), []).extend((row.start_s, row.finish_s))
    return [max(times) - min(times) for times in ends.values()]


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_no_round_is_faster_than_check_says(data, tmp_path_factory):
    keys, down, up = data.draw(cases(tmp_path_factory.getbasetemp()))
    found = scenario(**keys)
    least, rows = least_and_simulated(found, down, up)
    if found.policy.kind == "buffered" or getattr(found.policy, "late", "drop") == "accept":
        assert all(took_s >= least[0] * ROUNDING for took_s in tasks(rows))
        return
    took = durations(rows)
    least = least * len(took) if len(least) == 1 else least
    for least_s, took_s in zip(least, took, strict=True):
        assert took_s >= least_s * ROUNDING


FAST = {"down": "1 Gbps", "up": "1 Gbps"}
LINK = {"down": "20 Mbps", "up": "2 Mbps", "rtt": "80 ms"}


@pytest.mark.parametrize(
    ("clients", "server", "transport", "factor"),
    [
        (LINK, FAST, "tcp", 1.01),
        (LINK, FAST, "fluid", 1.001),
        (LINK | {"rtt": "2 s"}, FAST, "tcp", 1.01),
        (LINK | {"up": {"kind": "lognormal", "median": "2 Mbps", "sigma": 1}}, FAST, "tcp", 1.01),
        (LINK, {"down": "4 Mbps", "up": "4 Mbps"}, "tcp", 1.6),
        (LINK | {"cells": {"clients": 4, "down": "4 Mbps", "up": "1 Mbps"}}, FAST, "tcp", 1.25),
        (LINK | {"cells": {"clients": 20, "down": "4 Mbps", "up": "1 Mbps"}}, FAST, "tcp", 1.25),
    ],
    ids=str,
)
def test_simple_rounds_take_little_more_than_check_says(clients, server, transport, factor):
    least, rows = least_and_simulated(scenario(clients, server, transport), 200_000, 200_000)
    for least_s, took_s in zip(least, durations(rows), strict=True):
        assert least_s * ROUNDING <= took_s <= factor * least_s


def test_a_changing_rate_counts_at_its_best(tmp_path):
    trace = {"kind": "trace", "file": written(tmp_path, [1, 16]), "offset": "500 ms"}
    link = {"down": "80 Mbps", "up": trace}
    least, rows = least_and_simulated(scenario(link, FAST, "fluid"), 1, 250_000)
    assert least[0] == pytest.approx(250_000 * 8 / 16e6, rel=1e-4)
    assert durations(rows)[0] == pytest.approx(least[0], rel=1e-4)


def late(deadline, up="2 Mbps"):
    policy = {"kind": "deadline", "deadline": deadline}
    found = scenario(LINK | {"up": up}, FAST, "fluid", policy)
    sizes = {"encoded": {"down": 25_000, "up": 250_000}}
    return LeastRounds(found).late(Messages(25_000, 250_000, "x", sizes), "LoRA")


def test_a_deadline_that_is_too_early_is_told():
    assert late("2 s") == ""
    assert late("1 s") == (
        "with the deadline of 1.0 s, no update of LoRA can be in time: one takes 1.1 s or more"
    )
    few = late("1.5 s", up={"kind": "choice", "values": ["2 Mbps", "100 kbps"]})
    assert few == "with the deadline of 1.5 s, at most 4 of 5 updates of LoRA can be in time"
