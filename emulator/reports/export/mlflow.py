"""Simulations in an MLflow store: one experiment per scenario, one MLflow run per simulation.

The store is a SQLite file, because MLflow 3 refuses its store of plain files. The step of a metric
is the round. Its time stamp is the time of the export plus the simulated time, so that the axis
'Time (relative)' shows simulated time. MLflow is an extra.
"""

import json
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from emulator.common.files import distinct, refused, storage
from emulator.reports.export.tables import missing
from emulator.reports.export.tracked_run import TrackedRun, identity

T = TypeVar("T")
STORE = "mlflow.db"
TAG = "flasc_emu."
# Labels that identify a simulation in a store; the last one is missing without draws of the fleet.
KEY = ("source", "method", "variant", "seed", "network_seed")
# Limits of MLflow: entries of one call, and characters of a value.
MOST_METRICS, MOST_PARAMS, MOST_TEXT = 1000, 100, 5000


def write(folder: Path, runs: Iterable[TrackedRun]) -> Path:
    """Write `runs` to the store in `folder`, in place of earlier exports; return its path.

    Raises SupportError if MLflow or what its SQLite store needs is missing, and StorageError.
    """
    # MLflow reads this when it is imported; an export sends nothing over the network.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        import alembic  # noqa: F401
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from mlflow.store.tracking import sqlalchemy_store  # noqa: F401  # MLflow imports it late
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise missing(error.name or "mlflow", "mlflow") from None
    path = folder / STORE
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    uri = f"sqlite:///{path.resolve().as_posix()}"
    logging.getLogger("mlflow.store").setLevel(logging.WARNING)  # it tells of each new table
    try:
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        for run in runs:
            _write(client, run, folder)
    except (MlflowException, SQLAlchemyError) as error:
        raise refused(path, str(error).partition("\n")[0]) from error
    return path


def _write(client: Any, run: TrackedRun, folder: Path) -> None:
    from mlflow.entities import Metric, Param

    experiment = _experiment(client, run.experiment, folder)
    _delete(client, experiment, run)
    now_ms = int(time.time() * 1000)
    tags = {f"{TAG}{_name(name)}": text[:MOST_TEXT] for name, text in run.labels.items()}
    made = client.create_run(experiment, start_time=now_ms, tags=tags, run_name=run.title)
    metrics = [
        Metric(_name(name, "/"), value, now_ms + _ms(point.time_s), point.round)
        for point in run.points
        for name, value in point.values.items()
    ]
    last_ms, last = max(((_ms(p.time_s), p.round) for p in run.points), default=(0, 0))
    metrics += [
        Metric(f"result/{name}", value, now_ms + last_ms, last)
        for name, value in run.results.items()
    ]
    for part in _parts(metrics, MOST_METRICS):
        client.log_batch(made.info.run_id, metrics=part)
    for params in _parts(list(parameters(run).items()), MOST_PARAMS):
        client.log_batch(made.info.run_id, params=[Param(*each) for each in params])
    client.set_terminated(made.info.run_id, end_time=now_ms + last_ms)


def parameters(run: TrackedRun) -> dict[str, str]:
    """Return the settings by dotted name, with method, variant and seed; texts that MLflow takes.

    Names differ even if MLflow allows few of their characters.
    """
    own = {name: str(value) for name, value in identity(run).items()}
    found = dict(flat(run.settings))
    names = distinct(_name(name)[:200] for name in [*own, *found])
    texts = [*own.values(), *map(_text, found.values())]
    return {name: text[:MOST_TEXT] for name, text in zip(names, texts, strict=True)}


def flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted name, value) of each value in nested settings; a list is one value."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _experiment(client: Any, name: str, folder: Path) -> str:
    """The id of the experiment, which is created or restored if need be."""
    found = client.get_experiment_by_name(name)
    if found is None:
        artifacts = (folder.resolve() / "artifacts").as_uri()  # not created: there are none
        return str(client.create_experiment(name, artifact_location=artifacts))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _delete(client: Any, experiment: str, run: TrackedRun) -> None:
    """Delete earlier exports of the same simulation."""
    labels = {name: run.labels[name] for name in KEY if name in run.labels}
    key = {f"{TAG}{name}": text[:MOST_TEXT] for name, text in labels.items()}
    token = None
    old = []
    while True:
        page = client.search_runs([experiment], page_token=token)
        old += [each.info.run_id for each in page if key.items() <= each.data.tags.items()]
        if not (token := page.token):
            break
    for each in old:
        client.delete_run(each)


def _name(text: str, allowed: str = "") -> str:
    return re.sub(rf"[^\w\-. {allowed}]", "_", text, flags=re.ASCII)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _parts(items: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part
