"""Simulations as offline runs of Weights & Biases, which `wandb sync` uploads.

The step is the round. Curves are drawn against simulated seconds; bytes and rounds are further
axes. Nothing is sent over the network. wandb is an extra.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emulator.common.files import refused, storage
from emulator.reports.export.tables import missing
from emulator.reports.export.tracked_run import BYTES, SECONDS, WAYS, TrackedRun, identity

# Offline, silent, and without facts about this machine or its folders. Names with x_ are not part
# of wandb's stable interface, so those that a version lacks are left out.
SETTINGS = {
    "console": "off",
    "disable_code": True,
    "disable_git": True,
    "disable_job_creation": True,
    "host": "",
    "mode": "offline",
    "save_code": False,
    "silent": True,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
}


def write(folder: Path, runs: Iterable[TrackedRun]) -> list[Path]:
    """Write each run to a new folder in `folder`/wandb, in place of an earlier export.

    Returns the new folders, which are complete. Raises SupportError if wandb is missing, and
    StorageError.
    """
    try:
        from wandb import Error, teardown  # `import wandb` alone also finds a folder of that name
    except ImportError:
        raise missing("wandb", "wandb") from None
    place = folder / "wandb"
    with storage(place):
        place.mkdir(parents=True, exist_ok=True)
    try:
        return [_write(folder, place, run) for run in runs]
    except (Error, OSError) as error:
        raise refused(place, str(error)) from error
    finally:
        teardown()  # waits for wandb's process, which writes the end of each file late


def _write(folder: Path, place: Path, run: TrackedRun) -> Path:
    import wandb

    simulation, content = _digests(run)
    for old in place.glob(f"offline-run-*-{simulation}*"):
        shutil.rmtree(old)
    known = {name: of for name, of in SETTINGS.items() if name in wandb.Settings.model_fields}
    made = wandb.init(
        dir=str(folder),
        id=simulation + content,
        project=re.sub(r"[/\\#?%:]", "-", run.experiment)[:128],
        name=run.title[:128],
        group=f"{run.emulation.method}, {run.emulation.variant}"[:128],
        config=identity(run) | {"labels": dict(run.labels), "settings": dict(run.settings)},
        reinit="create_new",
        settings=wandb.Settings(**known),
    )
    _log(made, run)
    made.finish()
    return place / Path(made.settings.sync_dir).name


def _log(made: Any, run: TrackedRun) -> None:
    for axis in (SECONDS, BYTES, *WAYS):
        made.define_metric(axis)
    made.define_metric("*", step_metric=SECONDS)
    for point in run.points:
        made.log({"round": point.round, **point.values}, step=point.round)
    for name, value in run.results.items():
        made.summary[f"result/{name}"] = value


def _digests(run: TrackedRun) -> tuple[str, str]:
    """8 digits each of a hash: of what identifies the simulation, and of all that is written.

    Both are the id of the W&B run: an upload of the same content twice is one run, and another
    content is another run.
    """
    key = [run.experiment, run.source, [*identity(run).values()]]
    texts = (json.dumps(value, default=str, sort_keys=True) for value in (key, asdict(run)))
    simulation, content = (hashlib.sha256(text.encode()).hexdigest()[:8] for text in texts)
    return simulation, content
