"""Hostile inputs: always a typed error or a valid result, in bounded time and memory.

Scenarios, recordings (packed ones too), ledgers, traces, transfers and validations are changed and
read in this process, behind a fence: a write outside of the campaign's folder is a loss.
"""

import contextlib
import gzip
import json
import runpy
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import hostile
import numpy as np
import yaml
from campaign import Tally, fence, limit_memory

from emulator.reports import run_report as report
from emulator.reports.export import json_csv as report_export
from emulator.reports.page import data as report_data
from emulator.results.ledger import Ledger
from emulator.runner import export_recording, inputs, run as running, training_job
from emulator.runner.check import plan
from emulator.runner.events import ignore
from emulator.runner.executors import Local, Options
from emulator.runner.recording import Recording, RecordingTrainer
from emulator.simulation.clients import fleet, link_profiles
from emulator.simulation.records import Transfer
from emulator.simulation.simulate import simulate
from emulator.testbed.formats import read as read_transfers
from flasc.training.shared_models import SharedModels

ROOT = Path(__file__).parent.parent.parent
MEMORY = 4 << 30
SMALL = """\
name: small
task: {name: 20newsgroups, clients: 12}
training: {rounds: 3, cohort: 3, target: {accuracy: 0.2, stop_after: never}}
methods: {LoRA: {kind: lora}, "FLASC 1/4": {kind: flasc, down: 1/4, up: 1/4}}
network:
  server: {down: 1 Gbps, up: 1 Gbps}
  clients: {down: 20 Mbps, up: 20 Mbps, rtt: 40 ms}
vary: {upload: {fast: {network.clients.up: 20 Mbps}, slow: {network.clients.up: 5 Mbps}}}
"""
ACCESSES = {
    "capacity_sample.csv": {"down": "trace", "up": "trace"},
    "mahimahi_sample.trace": {"down": "trace", "up": "trace"},
    "cooked_sample.txt": {"down": "trace", "up": "trace"},
    "sabre_sample.json": {"down": "trace", "up": "trace"},
    "hsdpa_sample.log": {"down": "trace", "up": "trace"},
    "irish_sample.csv": {"down": "trace", "up": "trace"},
    "speedtests_sample.csv": {"table": ""},
    "fedscale_sample.json": {"devices": "fedscale"},
    "flash_sample.json": {"devices": "flash"},
    "fedscale_behaviour_sample.json": {"availability": "fedscale"},
    "flash_behaviour_sample.json": {"availability": "flash"},
}
FEW = 200  # clients: larger fleets are built by `sizes`, and would only take time here


class Inputs:
    """What is changed, laid out in `folder`: copies of the shipped scenarios, and one small run."""

    def __init__(self, folder: Path, rng: Random) -> None:
        self.folder, self.rng = folder, rng
        shutil.copytree(ROOT / "scenarios", folder / "scenarios")
        self.scenarios = sorted((folder / "scenarios").rglob("*.yaml"))
        self.texts = {path: path.read_bytes() for path in self.scenarios}
        self.data = {path: yaml.safe_load(text) for path, text in self.texts.items()}
        self.samples = {name: (ROOT / "tests/data" / name).read_bytes() for name in ACCESSES}
        self.transfers = (ROOT / "tests/data/simgrid_star_sample.json").read_bytes()
        (folder / "small.yaml").write_text(SMALL, "utf-8")
        self._run()

    def _run(self) -> None:
        """One small run with a toy for a trainer, and what it recorded."""
        real = training_job._real_trainer
        try:
            runpy.run_path(str(ROOT / "tests/emulator/toy_command.py"))
            self.study = inputs.read(self.folder / "small.yaml")
            options = Options(self.folder / "recordings")
            running.run(self.study, self.folder / "run", options, engine=Local(1))
        finally:
            training_job._real_trainer = real
        self.ledger = (self.folder / "run/ledger.sqlite").read_bytes()
        self.case = validated(self.folder / "run/ledger.sqlite")
        self.small = export_recording.packed_recording(
            {"": self.study}, {"": options.recordings}
        ).content
        self.training = self.study.trainings()[0]
        self.settings = self.training.settings.model_dump(mode="json")
        recording = Recording(self.folder / "recordings", self.settings)
        self.recorded = {
            path.relative_to(recording.folder): path.read_bytes()
            for path in sorted(recording.folder.rglob("*"))
            if path.is_file() and path.name != "lock"
        }

    # -- scenarios

    def scenario(self) -> Callable[[], object]:
        """A shipped scenario with something about it changed, read and planned."""
        path = self.rng.choice(self.scenarios)
        if self.rng.random() < 0.75:
            raw = hostile.written(self.rng, hostile.changed(self.rng, self.data[path]))
        else:
            raw = hostile.damaged(self.rng, self.texts[path])
        file = path.with_name("changed.yaml")
        for placeholder in (
            "changed.yaml",
            "../scenarios/changed.yaml",
            "slow_upload.yaml",
            "/dev",
        ):
            raw = raw.replace(b"%s", placeholder.encode(), 1)
        file.write_bytes(raw)
        is_network = path.parent.name == "networks"
        plans = self.rng.random() < 0.05

        def act() -> None:
            if is_network:
                found = inputs.read(self.folder / "scenarios/smoke.yaml", networks=[file])
            else:
                found = inputs.read(file)
            if plans and found.scenario.task.clients <= 10 * FEW and len(found.variants) < 10:
                for line in plan(found, self.folder / "none"):
                    assert line.isprintable(), line

        return act

    # -- what others recorded

    def recording(self) -> Callable[[], object]:
        """A recording with damage, replayed."""
        store = self.folder / "damaged"
        shutil.rmtree(store, ignore_errors=True)
        folder = Recording(store, self.settings).folder
        victim = self.rng.choice([p for p in self.recorded if "adapter" not in p.parts])
        for path, raw in self.recorded.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(raw)
        raw = self.recorded[victim]
        if victim.suffix == ".safetensors":
            raw = hostile.tensors(self.rng, raw)
        elif self.rng.random() < 0.6:
            raw = hostile.lines(self.rng, raw)
        else:
            raw = hostile.damaged(self.rng, raw)
        (folder / victim).write_bytes(raw)
        rounds = self.rng.choice((3, 5))  # as recorded, or on from a kept state
        training = self.study.scenario.training.model_copy(update={"rounds": rounds})
        scenario = self.study.scenario.model_copy(update={"training": training})

        def act() -> None:
            recording = Recording(store, self.settings)
            for state in (folder / "states").glob("*.safetensors"):
                if recording.has_state(state.stem):
                    recording.load_state(state.stem)
            trainer = RecordingTrainer(recording, self._toy)
            try:
                simulate(scenario, 0, trainer)
            finally:
                trainer.close()

        return act

    def _toy(self) -> Any:
        made: Any = runpy.run_path(str(ROOT / "tests/emulator/toy_command.py"))["make"]
        workshop = type("SharedModels", (), {"helpers": None})
        return made(self.training.settings, None, None, workshop)

    def packed(self) -> Callable[[], object]:
        """A packed recording with damage inside or out, priced."""
        file = self.folder / "damaged.json.gz"
        if self.rng.random() < 0.3:
            file.write_bytes(hostile.damaged(self.rng, self.small))
        else:
            found = hostile.changed(self.rng, json.loads(gzip.decompress(self.small)))
            file.write_bytes(gzip.compress(hostile.written(self.rng, found)))

        def act() -> None:
            found = inputs.read(file)
            if found.scenario.task.clients <= 10 * FEW and len(found.variants) < 10:
                with running.recorded(found, Options(self.folder / "none")) as options:
                    for training in found.trainings():
                        training_job.run_training(0, training, options, ignore, SharedModels())

        return act

    def run(self) -> Callable[[], object]:
        """A run's folder with damage to its ledger, reported and read as a scenario."""
        folder = self.folder / "damaged run"
        folder.mkdir(exist_ok=True)
        file = folder / "ledger.sqlite"
        if self.rng.random() < 0.4:
            file.write_bytes(hostile.damaged(self.rng, self.ledger))
        else:
            file.write_bytes(self.ledger)
            rewritten(self.rng, file)

        def act() -> None:
            with Ledger.open(file) as ledger:
                report_data.to_json(report.load(ledger))
            inputs.read(folder)

        return act

    def validation(self) -> Callable[[], object]:
        """What was measured of the small run, changed."""
        folder = self.folder / "validated run"
        folder.mkdir(exist_ok=True)
        (folder / "ledger.sqlite").write_bytes(self.ledger)
        found = {"cases": [self.case]}
        if self.rng.random() < 0.7:
            raw = hostile.written(self.rng, hostile.changed(self.rng, found))
        else:
            raw = hostile.damaged(self.rng, hostile.written(self.rng, found))
        (folder / "validation.json").write_bytes(raw)

        def act() -> None:
            with Ledger.open(folder / "ledger.sqlite") as ledger:
                report_export.to_json((), report.load(ledger).validations)

        return act

    # -- files that scenarios name

    def trace(self) -> Callable[[], object]:
        """A table or trace with damage, behind a scenario's clients."""
        name, what = self.rng.choice(sorted(ACCESSES.items()))
        raw, file = self.samples[name], self.folder / f"damaged_{name}"
        if name.endswith(".json") and self.rng.random() < 0.6:
            raw = hostile.written(self.rng, hostile.changed(self.rng, json.loads(raw)))
        else:
            raw = hostile.damaged(self.rng, raw)
        file.write_bytes(raw)
        clients: dict[str, object] = {"down": "20 Mbps", "up": "5 Mbps"}
        for key, format in what.items():
            if key == "devices":
                clients = {"devices": {"format": format, "file": str(file)}}
            elif key == "table":
                columns = {"down": "downlink_Mbps", "up": "uplink_Mbps", "rtt": "latency_ms"}
                clients = {"table": {"file": str(file), "columns": columns}}
            elif key == "availability":
                clients[key] = {"kind": "trace", "file": str(file), "format": format}
            else:
                clients[key] = {"kind": "trace", "file": str(file)}

        def act() -> None:
            one = self.folder / "traced.yaml"
            changed = yaml.safe_load(SMALL) | {"vary": {}}
            changed["network"]["clients"] = clients
            one.write_text(json.dumps(changed), "utf-8")
            found = inputs.read(one).scenario
            built = fleet.draw_fleet(found.network, None, 12, 0)
            assert ((built.up_Bps > 0) & np.isfinite(built.up_Bps)).all()
            built.availability_at(3, 1e4)
            changing = link_profiles.LinkProfiles.build(found.network, built, 0)
            if changing and (profile := changing.get(("client", "up", 3))):
                assert profile.rate_at(1e4) >= 0

        return act

    def transfer(self) -> Callable[[], object]:
        """Transfers with damage, read."""
        if self.rng.random() < 0.6:
            raw = hostile.written(self.rng, hostile.changed(self.rng, json.loads(self.transfers)))
        else:
            raw = hostile.damaged(self.rng, self.transfers)
        file = self.folder / "transfers.json"
        file.write_bytes(raw)
        return lambda: read_transfers(file)


def validated(file: Path) -> dict[str, Any]:
    """What `flasc-emu validate` would say of the first round in a ledger."""
    with Ledger.open(file) as ledger:
        first = ledger.emulations()[0]
        moved = [r for r in ledger.rows(first) if isinstance(r, Transfer) and r.round == 1]
    transfers = [
        {"client": r.client, "direction": r.direction, "nbytes": r.nbytes,
         "simulated_s": r.finish_s - r.start_s}
        for r in moved
    ]  # fmt: skip
    return first._asdict() | {
        "round": 1, "transfers": transfers, "makespan": {"error": 0.1},
        "mean_absolute_error": 0.1, "warning": "",
    }  # fmt: skip


def rewritten(rng: Random, file: Path) -> None:
    """A ledger of our form with values in it that no run writes."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("PRAGMA synchronous = OFF")
        for _ in range(rng.choice((1, 1, 2, 4))):
            tables = "meta", "emulation", "transfer", "computation", "round", "evaluation", "client"
            table = rng.choice(tables)
            column = rng.choice(
                [f'"{row[1]}"' for row in db.execute(f"PRAGMA table_info({table})")]
            )
            old = rng.choice([row[0] for row in db.execute(f"SELECT {column} FROM {table}")] or [0])
            new = hostile.value(rng, {"a": old})
            if isinstance(new, dict | list):
                new = json.dumps(new)
            if isinstance(old, str) and old[:1] in ("[", "{") and rng.random() < 0.7:
                with contextlib.suppress(ValueError):  # changed before
                    new = json.dumps(hostile.changed(rng, json.loads(old)))
            if isinstance(new, int) and abs(new) >= 2**63:
                new = 2**63 - 1
            if isinstance(new, str):
                new = new.encode("utf-8", "replace").decode()
            where = "" if rng.random() < 0.3 else f"WHERE {column} IS ?"
            with contextlib.suppress(sqlite3.IntegrityError):
                db.execute(
                    f"UPDATE {table} SET {column} = ? {where}", (new, old)[: 1 + bool(where)]
                )


KINDS = (
    (Inputs.scenario, 60), (Inputs.recording, 12), (Inputs.run, 12), (Inputs.trace, 12),
    (Inputs.transfer, 4), (Inputs.validation, 3), (Inputs.packed, 6),
)  # fmt: skip


def campaign(folder: Path, seed: int, count: int, only: int = -1) -> Tally:
    """`count` inputs; with `only`, that one alone."""
    inputs = Inputs(folder, Random(seed))
    limit_memory(MEMORY)
    tempfile.tempdir = str(folder)
    fence(folder)
    tally = Tally("inputs", seed)
    kinds, weights = zip(*KINDS, strict=True)
    for number in range(count) if only < 0 else [only]:
        inputs.rng = Random(f"{seed}/{number}")
        (kind,) = inputs.rng.choices(kinds, weights)
        tally.attempt(f"{kind.__name__} {number}", kind(inputs))
    return tally
