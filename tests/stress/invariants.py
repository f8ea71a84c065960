"""Random networks, fleets, policies and churn, and invariants that hold for all of them.

A stub trains. The rates of flows are checked while they flow: no link exceeds its capacity, and the
bytes of a flow are the integral of its rate. The rest is checked on the rows. A resumed training
must give the rows of an uninterrupted one.
"""

import contextlib
import functools
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from campaign import Tally

from emulator.network import network
from emulator.network.fairness.engine import FlowEngine
from emulator.results.contradictions import contradictions
from emulator.runner.recording import Recording, RecordingTrainer
from emulator.scenario.scenario import Scenario
from emulator.simulation.records import Absence, Computation, Evaluation, Round, Row, Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer
from flasc.common.messages import MessageInfo

CLOSE = 1e-9  # of a rate, relative
BYTES = 1e-6  # of a flow's size, relative, and a byte
DATA = Path(__file__).parents[1] / "data"
MAX_ROWS = 20_000  # per simulation: some scenarios take days at a byte per second


class LongEnoughError(Exception):
    """All invariants held so far; the rest is skipped."""


class Watched(FlowEngine):
    """A flow engine whose rates are checked before time advances."""

    def __init__(self, capacities_Bps: Any) -> None:
        super().__init__(capacities_Bps)
        self.moved_B: dict[int, float] = defaultdict(float)
        self.sizes_B: dict[int, float] = {}

    def start(
        self, now_s: float, links: Sequence[int], size_B: float, cap_Bps: float = math.inf
    ) -> int:
        flow = super().start(now_s, links, size_B, cap_Bps)
        self.sizes_B[flow] = size_B
        return flow

    def cancel(self, now_s: float, flow: int) -> float:
        moved_B = super().cancel(now_s, flow)
        self._agree(flow, moved_B)
        return moved_B

    def advance(self, now_s: float) -> list[int]:
        done = super().advance(now_s)
        for flow in done:
            self._agree(flow, self.sizes_B[flow])
        return done

    def _agree(self, flow: int, told_B: float) -> None:
        moved_B, slack_B = self.moved_B.pop(flow, 0.0), 1 + BYTES * self.sizes_B[flow]
        assert abs(moved_B - told_B) <= slack_B, f"flow {flow}: {moved_B} B moved, told {told_B}"

    def _run_until(self, now_s: float, also_now: bool = False) -> None:
        while -math.inf < self._now_s < (then_s := min(now_s, self.next_finish())):
            self._look(then_s - self._now_s)
            super()._run_until(then_s)
        super()._run_until(now_s, also_now)

    def _look(self, lasting_s: float) -> None:
        loads_Bps: dict[int, float] = defaultdict(float)
        for number, flow in self._flows.items():
            rate_Bps = self.rate(number)
            assert 0 <= rate_Bps <= flow.cap_Bps * (1 + CLOSE), f"{rate_Bps} over its cap"
            self.moved_B[number] += rate_Bps * lasting_s
            for link in flow.links:
                loads_Bps[link] += rate_Bps
        for link, load_Bps in loads_Bps.items():
            most_Bps = self._capacity_Bps[link]
            assert load_Bps <= most_Bps * (1 + CLOSE), f"link {link}: {load_Bps} of {most_Bps}"


class Live(StubTrainer):
    """A stub whose messages differ by client and version; told to, it stops in the middle."""

    def __init__(self, down_bytes: int, up_bytes: int, breaks_at: int = -1) -> None:
        super().__init__(down_bytes=down_bytes, up_bytes=up_bytes, flop=1e9)
        self.merged: Counter[int] = Counter()  # updates by client
        self.breaks_at = breaks_at

    def download(self, client: int) -> MessageInfo:
        nbytes = self.down(client, self.version % 5)
        return MessageInfo(client, nbytes, nbytes)

    def down(self, client: int, more: int) -> int:
        """Bytes down to a client, 0 to 4 `more` by the version."""
        return self.down_bytes * (1 + client % 3) + more

    def up(self, client: int) -> int:
        """Bytes up from a client."""
        return self.up_bytes * (1 + client % 2)

    def train(self, downloads: Sequence[MessageInfo]) -> list[MessageInfo]:
        return [
            MessageInfo(d.client, self.up(d.client), 0, 1 + d.client % 40, 2) for d in downloads
        ]

    def aggregate(self, uploads: Sequence[MessageInfo], weights: Sequence[float]) -> None:
        if self.version == self.breaks_at:
            raise KeyboardInterrupt
        super().aggregate(uploads, weights)
        self.merged.update(upload.client for upload in uploads)

    def snapshot(self) -> dict[str, np.ndarray]:
        return {"version": np.array(self.version)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.version = int(arrays["version"])


# -- scenarios


def rate(rng: Random, varies: bool = True) -> Any:
    """A rate: constant, drawn, or changing in time."""
    bps = 10 ** rng.uniform(4, 9)
    match rng.randrange(6 if varies else 3):
        case 0 | 1:
            return f"{bps:.6g} bps"
        case 2:
            return {"kind": "lognormal", "median": f"{bps:.6g} bps", "sigma": rng.choice((0.1, 2))}
        case 3:
            return {"kind": "diurnal", "mean": f"{bps:.6g} bps", "depth": rng.choice((0, 0.5, 1))}
        case _:
            factors = rng.sample((0, 0.01, 0.3, 1, 4), 2)
            states = {
                name: {"rate": f"{factor * bps + 8:.6g} bps", "dwell": f"{rng.uniform(2, 50)} s"}
                for name, factor in zip("ab", factors, strict=True)
            }
            return {"kind": "markov", "states": list(states.values())}


def access(rng: Random, lossy: bool) -> dict[str, Any]:
    """One group's link, cells and comings and goings."""
    found: dict[str, Any] = {
        "down": rate(rng),
        "up": {"ratio": rng.choice((0.1, 1, 3))} if rng.random() < 0.2 else rate(rng),
        "rtt": rng.choice(("0 ms", "1 us", "40 ms", "3 s")),
        "half_duplex": rng.random() < 0.2,
    }
    if lossy and rng.random() < 0.5:
        found["loss"] = rng.choice(("0.1 %", "5 %"))
    if rng.random() < 0.3:
        found["cells"] = {
            "clients": rng.randint(1, 6), "down": rate(rng), "up": rate(rng),
            "half_duplex": rng.random() < 0.3,
        }  # fmt: skip
    if rng.random() < 0.4:
        found["availability"] = availability(rng)
    return found


def availability(rng: Random) -> dict[str, Any]:
    """Comings and goings, and what becomes of the work."""
    return {**presence(rng), "on_return": rng.choice(("resume", "resume", "lost"))}


def presence(rng: Random) -> dict[str, Any]:
    """Comings and goings of any kind, from tenths of seconds to days."""
    match rng.randrange(7):
        case 0:
            return {"kind": "always"}
        case 1 | 2:
            period_s, clock = 10 ** rng.uniform(0, 5), rng.random()
            length_s = rng.uniform(0.1, 1) * period_s
            length = {"kind": "uniform", "low": f"{length_s / 2} s", "high": f"{length_s} s"}
            start = {"kind": "uniform", "low": "0 s", "high": f"{period_s} s"}
            return {
                "kind": "diurnal",
                "period": f"{period_s} s",
                "clock": f"{rng.choice((0, clock * period_s))} s",
                "start": rng.choice((start, f"{0.2 * period_s} s")),  # all clients at one time
                "length": rng.choice((length, f"{length_s} s")),
            }
        case 3:
            name = rng.choice(("fedscale", "flash"))
            return {
                "kind": "trace", "file": str(DATA / f"{name}_behaviour_sample.json"), "format": name
            }  # fmt: skip
        case _:
            on, off = rng.choice((("10 s", "1 s"), ("1 h", "10 min"), ("0.2 s", "0.1 s")))
            drawn = {"kind": "lognormal", "median": on, "sigma": 1}
            return {"kind": "on_off", "on": drawn, "off": off}


def policy(rng: Random, cohort: int, clients: int) -> Any:
    """Any of them."""
    most = rng.randint(cohort, clients)
    late = {"late": rng.choice(("drop", "accept"))}
    deadline = f"{10 ** rng.uniform(-1, 3):.3g} s"
    return rng.choice((
        "synchronous",
        {"kind": "overselection", "select": most, **late},
        {"kind": "deadline", "deadline": deadline, "select": most, **late},
        {"kind": "buffered", "concurrency": most, "buffer": rng.randint(1, cohort)},
        {"kind": "asynchronous", "concurrency": most},
    ))  # fmt: skip


def document(rng: Random) -> dict[str, Any]:
    """A small scenario, of anything that there is."""
    clients = rng.randint(1, 25)
    cohort = rng.randint(1, clients)
    tcp = rng.random() < 0.5
    groups = {name: {"share": 1, **access(rng, tcp)} for name in "xyz"[: rng.randint(1, 3)]}
    chosen = policy(rng, cohort, clients)
    selection = "oort" if rng.random() < 0.3 else "uniform"
    compute = rng.choice((None, {"per_example": "10 ms"}, {"per_example": "0 s"}))
    found = {
        "name": "invariant",
        "task": {"name": "20newsgroups", "clients": clients},
        "training": {"rounds": rng.randint(1, 6), "cohort": cohort},
        "methods": {"LoRA": {"kind": "lora"}},
        "network": {
            "server": {"down": rate(rng), "up": rate(rng)},
            "groups": groups,
            "transport": "tcp" if tcp else "fluid",
        },
        "policy": chosen,
        "selection": selection,
    }
    return found | ({"compute": compute} if compute else {})


# -- invariants


def in_order(rows: Sequence[Row]) -> None:
    """No clock runs back."""
    times_s = [row.time_s if isinstance(row, Evaluation) else row.finish_s for row in rows]
    assert times_s == sorted(times_s), "the clock ran back"


def hold(found: Scenario, rows: Sequence[Row], trainer: Live, order: Sequence[Row]) -> None:
    """Everything that must be so of an emulation's rows; `order` is as they came about."""
    wrong = next(contradictions(rows), None)
    assert wrong is None, wrong
    in_order(order)
    rounds = [row for row in rows if isinstance(row, Round)]
    assert [row.round for row in rounds] == list(range(1, found.training.rounds + 1))
    assert sum(row.used for row in rounds) == trainer.merged.total()
    sent: Counter[tuple[int, int, str]] = Counter()
    used: Counter[tuple[int, str]] = Counter()
    tasks: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in rows:
        if isinstance(row, Transfer):
            sent[row.round, row.client, row.direction] += row.nbytes
            used[row.client, row.direction] += row.nbytes * (row.outcome == "used")
        if isinstance(row, Transfer | Computation | Absence):
            tasks[row.round, row.client].append(row)
    for client in range(found.task.clients):
        merged = trainer.merged[client]
        assert used[client, "up"] == merged * trainer.up(client), f"client {client}: up"
        most, least = trainer.down(client, 4), trainer.down(client, 0)
        assert merged * least <= used[client, "down"] <= merged * most, f"client {client}: down"
    if found.policy.kind not in ("buffered", "asynchronous"):  # at most one task per round
        for (_, client, way), nbytes in sent.items():
            most = trainer.up(client) if way == "up" else trainer.down(client, 4)
            assert nbytes <= most, f"{nbytes} B {way} of {most}"
        for task in tasks.values():
            for earlier, later in pairwise(task):
                assert earlier.finish_s <= later.start_s + 1e-9 * later.start_s, (earlier, later)


def check(rng: Random, folder: Path, number: int) -> None:
    """One scenario carried out, watched, judged, and for some broken off and resumed."""
    found, seed = Scenario.model_validate(document(rng)), rng.randrange(5)
    sizes = rng.choice((0, 1, 1_000, 40_000)), rng.choice((0, 1, 700, 30_000))
    trainer, order = Live(*sizes), list[Row]()

    def notice(row: Row) -> None:
        order.append(row)
        if len(order) == MAX_ROWS:
            raise LongEnoughError

    try:
        rows = simulate(found, seed, trainer, notice)
    except LongEnoughError:
        in_order(order)
        return
    hold(found, rows, trainer, order)
    if number % 4 == 0:
        resumed(found, seed, functools.partial(Live, *sizes), rng, folder / str(number), rows)


def resumed(
    found: Scenario, seed: int, make: Any, rng: Random, folder: Path, whole: list[Row]
) -> None:
    """Recorded, broken off before some step, resumed: the same rows, and then from disk alone."""

    def carried(breaks_at: int) -> list[Row]:
        recording = Recording(folder, {"what": "invariants"})
        trainer = RecordingTrainer(recording, lambda: (make(breaks_at=breaks_at), {}))
        try:
            return simulate(found, seed, trainer)
        finally:
            trainer.close()

    with contextlib.suppress(KeyboardInterrupt):
        carried(rng.randrange(found.training.rounds))
    work = Transfer | Computation | Absence | Round | Evaluation
    expected = [row for row in whole if isinstance(row, work)]
    for _ in range(2):
        assert [row for row in carried(-1) if isinstance(row, work)] == expected


def campaign(folder: Path, seed: int, count: int, only: int = -1) -> Tally:
    """`count` scenarios; with `only`, that one alone."""
    network.FlowEngine = Watched
    tally = Tally("invariants", seed)
    for number in range(count) if only < 0 else [only]:
        rng = Random(f"{seed}/{number}")
        tally.attempt(f"case {number}", functools.partial(check, rng, folder, number), limit_s=300)
    return tally
