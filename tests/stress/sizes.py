"""Large fleets, long simulations, many rows: how long they take and how much memory, printed.

Memory is asserted. Time is only printed, since it depends on the machine; `GOALS` has the times to
compare with on an idle machine.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from campaign import Tally, peak_megabytes

from emulator.results.ledger import Ledger
from emulator.scenario.scenario import Scenario
from emulator.simulation.clients import fleet
from emulator.simulation.records import Emulation, Round, Row, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer

LAW = {"kind": "lognormal", "median": "20 Mbps", "sigma": 1}
AWAY = {"kind": "on_off", "on": {"kind": "lognormal", "median": "1 h", "sigma": 1}, "off": "1 h"}
LINK = {"down": LAW, "up": LAW, "rtt": {"kind": "normal", "mean": "40 ms", "sd": "10 ms"}}
# of each: CPU seconds and megabytes in the long form, on one core of 2024
GOALS = {
    "fleet of 1,000,000": (5, 1000),
    "the same, coming and going": (5, 1000),
    "100 rounds of 10,000": (120, 2500),
    "10,000,000 rows": (300, 2500),
}


def scenario(clients: int, rounds: int, cohort: int, **link: object) -> Scenario:
    """Clients whose links are drawn, over a fluid network."""
    return Scenario.model_validate(
        {
            "name": "size",
            "task": {"name": "20newsgroups", "clients": clients},
            "training": {"rounds": rounds, "cohort": cohort},
            "methods": {"LoRA": {"kind": "lora"}},
            "network": {
                "server": {"down": "10 Gbps", "up": "10 Gbps"},
                "clients": {**LINK, **link},
                "transport": "fluid",
            },
        }
    )


def build(part: float, **link: object) -> str:
    """A fleet, once."""
    clients = int(1_000_000 * part)
    built = fleet.draw_fleet(scenario(clients, 1, 10, **link).network, None, clients, 0)
    assert len(built) == clients
    return f"{clients:,} clients"


def rounds(part: float) -> str:
    """All clients in every round."""
    clients, count = int(10_000 * part**0.5), max(1, int(100 * part**0.5))
    trainer = StubTrainer(down_bytes=1_000_000, up_bytes=250_000)
    rows = simulate(scenario(clients, count, clients), 0, trainer)
    assert sum(isinstance(row, Transfer) for row in rows) == 2 * clients * count
    assert sum(isinstance(row, Round) for row in rows) == count
    return f"{count} rounds of {clients:,}, {len(rows):,} rows"


def ledger(part: float, folder: Path) -> str:
    """Rows of ten emulations, written and read again."""
    each = int(1_000_000 * part)

    def rows() -> Iterator[Row]:
        for i in range(each):
            yield Transfer(i // 10, i % 350, "up", 1000 + i, i / 8, i / 8 + 1)

    emulations = [Emulation("LoRA", "as given", seed) for seed in range(10)]
    with Ledger.create(folder / "ledger.sqlite", {}) as filed:
        for emulation in emulations:
            filed.write(emulation, rows())
    with Ledger.open(folder / "ledger.sqlite") as filed:
        for emulation in filed.emulations():
            found = filed.rows(emulation)
            assert len(found) == each
            assert found[-1].nbytes == 1000 + each - 1
    nbytes = (folder / "ledger.sqlite").stat().st_size
    return f"{10 * each:,} rows, {nbytes / 1e6:.0f} MB on disk"


def campaign(folder: Path, seed: int, count: int, only: int = -1) -> Tally:
    """Each at `count` percent of its full size."""
    part = count / 100
    acts: list[Callable[[], str]] = [
        lambda: build(part),
        lambda: build(part, availability=AWAY),
        lambda: rounds(part),
        lambda: ledger(part, folder),
    ]
    tally, said = Tally("sizes", seed), []

    def measured(name: str, act: Callable[[], str], most_MB: float) -> None:
        since_s = time.process_time()
        what = act()
        held_MB = peak_megabytes()
        goal = "{:g} s and {:g} MB".format(*GOALS[name])
        took_s = time.process_time() - since_s
        said.append(f"{what}: {took_s:.1f} s, at most {held_MB:.0f} MB by then (whole: {goal})")
        assert held_MB <= most_MB, f"{held_MB:.0f} MB"

    for number, (name, act) in enumerate(zip(GOALS, acts, strict=True)):
        if only in (-1, number):
            most_MB = GOALS[name][1]
            tally.attempt(name, lambda n=name, a=act, m=most_MB: measured(n, a, m), limit_s=3600)
    tally.note = "; ".join(said)
    return tally
