"""Runs that are killed at random instants, run again, and compared with an unbroken one.

By SIGKILL (it alone, or with its workers), SIGTERM, Ctrl-C, the death of a worker, and a disk that
refuses: RLIMIT_FSIZE makes real writes fail. Toys train (tests/emulator/toy_command.py).
"""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from campaign import Tally

from emulator.common.errors import LedgerError
from emulator.results.ledger import Ledger
from emulator.simulation.records import Emulation, Row

TOY = Path(__file__).parent.parent / "emulator/toy_command.py"
SCENARIO = """\
name: killed
task: {name: 20newsgroups, clients: 30}
training: {rounds: 25, cohort: 3, seeds: [0, 1], target: {accuracy: 0.2, stop_after: never}}
methods: {LoRA: {kind: lora}, head: {kind: head}, FLASC: {kind: flasc, down: 1/4, up: 1/4}}
network:
  server: {down: 1 Gbps, up: 1 Gbps}
  clients: {down: 20 Mbps, up: 20 Mbps, rtt: 40 ms}
vary: {upload: {fast: {network.clients.up: 20 Mbps}, slow: {network.clients.up: 5 Mbps}}}
"""
WAYS = ("kill", "kill all", "terminate", "interrupt", "kill a worker", "full disk")
LINGERING_S = 20.0  # for workers to see that their parent has gone


def start(folder: Path, workers: int, most_bytes: int = resource.RLIM_INFINITY) -> subprocess.Popen:
    """One run in a process group of its own, whose files may not grow beyond `most_bytes`."""
    command = [sys.executable, str(TOY), "run", "killed.yaml", "--workers", str(workers)]

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=limited,  # noqa: PLW1509  # one thread here
    )


def filed(folder: Path) -> dict[Emulation, list[Row]]:
    """Every emulation of the run in `folder`, with its rows."""
    with Ledger.open(folder / "runs/killed/ledger.sqlite") as ledger:
        return {each: ledger.rows(each) for each in ledger.emulations()}


def strike(way: str, process: subprocess.Popen, rng: Random) -> None:
    """End it that way, or a part of it. It may be over already."""
    with contextlib.suppress(ProcessLookupError):
        match way:
            case "kill":
                process.kill()
            case "kill all":
                os.killpg(process.pid, signal.SIGKILL)
            case "terminate":
                process.terminate()
            case "interrupt":
                process.send_signal(signal.SIGINT)
            case "kill a worker":
                if found := workers_of(process.pid):
                    os.kill(rng.choice(found), signal.SIGKILL)


def workers_of(pid: int) -> list[int]:
    """The processes that a process started and that are still there."""
    try:
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split())]
    except OSError:
        return []


def is_gone(group: int) -> bool:
    """Whether every process of a group ends by itself in time."""
    until_s = time.monotonic() + LINGERING_S
    while time.monotonic() < until_s:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    os.killpg(group, signal.SIGKILL)
    return False


class Victim:
    """A folder in which runs are killed, and what an unbroken one wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        whole = folder / "whole"
        self._lay_out(whole)
        since = time.monotonic()
        process = start(whole, workers=2)
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
        self.lasts_s = time.monotonic() - since
        self.expected = filed(whole)
        assert len(self.expected) == 12
        self.ended: Counter[str] = Counter()
        largest = max(p.stat().st_size for p in whole.rglob("*") if p.is_file())
        self.largest_bytes = largest

    def _lay_out(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "killed.yaml").write_text(SCENARIO, "utf-8")

    def suffer(self, rng: Random, number: int) -> None:
        """Kill a run, once or more, look at what is left, and let it come to its end."""
        folder = self.folder / str(number)
        self._lay_out(folder)
        for _ in range(rng.choice((1, 1, 2, 3))):
            self._once(folder, rng.choice(WAYS), rng)
        process = start(folder, rng.choice((1, 2)))
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said[-500:]
        found = filed(folder)
        assert list(found) == list(self.expected)
        assert found == self.expected
        left = [p.name for p in folder.rglob(".*.*") if p.is_file()]
        assert not left, left
        shutil.rmtree(folder)

    def _once(self, folder: Path, way: str, rng: Random) -> None:
        after_s = rng.uniform(0, 1.1 * self.lasts_s)
        if way == "full disk":
            most_bytes = int(self.largest_bytes * rng.random() ** 3)
            process = start(folder, rng.choice((1, 2)), most_bytes)
        else:
            process = start(folder, 2 if way == "kill a worker" else rng.choice((1, 2)))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(after_s)
            strike(way, process, rng)
        _, said = process.communicate(timeout=300)
        self.ended[f"{way} {process.returncode}"] += 1
        assert is_gone(process.pid), f"{way} after {after_s:.2f} s: workers stayed"
        if way in ("full disk", "kill a worker"):
            assert process.returncode in (0, 1, 2), (way, process.returncode, said[-500:])
            assert "Traceback" not in said, said[-900:]
        with contextlib.suppress(LedgerError):  # there is none yet
            for each, rows in filed(folder).items():
                assert rows == self.expected[each], f"{way}: another {each}"


def campaign(folder: Path, seed: int, count: int, only: int = -1) -> Tally:
    """`count` runs, each killed once at least; with `only`, that one alone."""
    tally = Tally("kills", seed)
    victim = Victim(folder)
    for number in range(count) if only < 0 else [only]:
        rng = Random(f"{seed}/{number}")
        tally.attempt(f"run {number}", lambda r=rng, n=number: victim.suffer(r, n), limit_s=600)
    tally.note = ", ".join(f"{how}: {n}" for how, n in sorted(victim.ended.items()))
    return tally
