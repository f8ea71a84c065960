"""Opens a scenario file, a run folder, a packed recording or message logs as a study."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from emulator.common.errors import LedgerError, ScenarioError
from emulator.common.text import printable
from emulator.integrations.message_log import is_log
from emulator.results.stored import open_run
from emulator.runner import message_logs, run_source
from emulator.runner.answerable import require_answerable
from emulator.runner.recording import archive
from emulator.runner.run_source import RunSource
from emulator.scenario import document, networks as network_files, shipped, vary_option
from emulator.scenario.study import Study, expand_variants
from emulator.scenario.yaml_nodes import Node


def read(
    path: Path | Sequence[Path],
    overrides: Sequence[str] = (),
    only: Sequence[str] = (),
    networks: network_files.Given = (),
    vary: vary_option.Given = (),
) -> Study:
    """The study at `path` with 'a.b=value' overrides and the methods in `only` (empty: all).

    `path` is a scenario or the name of one, a run's folder or packed recording with a scenario in
    it, or one or several message logs. `networks` are files (or names of networks) that replace its
    network, one variant per file; a folder stands for all its files. They may also be contents of
    such files by label. `vary` has a sweep per 'a.b=values', or values by path. The folder of a run
    knows where its trainings are: `emulator.runner.run_source`.

    Raises ScenarioError, LedgerError for a folder that is not that of a run, RecordingError for a
    damaged recording, and MessageLogError for logs that are invalid or cannot answer.
    """
    given = [path] if isinstance(path, Path) else list(path)
    # A network is located too, so that it is refused as one.
    names = shipped.networks() | shipped.scenarios()
    paths = [shipped.located(each, names) for each in given]
    path, logs = paths[0], None
    if are_logs(paths):
        logs = message_logs.read(paths)
    source = RunSource(None, None)
    if logs:
        tree = document.parse(document.dump(logs.scenario), f"{printable(str(path))}: scenario")
    elif archive.is_packed(path):
        packed = archive.read(path)
        tree = document.parse(
            packed.scenario, f"{printable(str(path))}: scenario", document.MOST_NODES
        )
        only, source = only or packed.methods, RunSource(path, None)
    elif path.is_dir():
        tree, methods = _from_run(path)
        only, source = only or methods, run_source.of_run(path)
        logs = message_logs.read(source.logs) if source.logs else None
    else:
        tree = document.read(path)
        if isinstance(tree.value, dict) and list(tree.value) == ["network"]:
            raise ScenarioError(
                f"{printable(str(path))}: found a network alone; allowed: a scenario",
                "give the network with a scenario: flasc-emu check SCENARIO --network FILE",
            )
    if networks:
        tree, overrides = network_files.with_networks(tree, networks, overrides)
    tree = vary_option.with_sweeps(tree, vary)
    run = path if path.is_dir() else None
    whole = document.with_overrides(tree, overrides)
    if logs and "network" not in whole.data:
        raise ScenarioError(
            f"{printable(str(path))}: found no network; allowed: a message log with a network",
            f"give one with --network, {message_logs.NETWORKS}",
        )
    found = expand_variants(whole, str(path), only, logged=run is not None or logs is not None)
    found = replace(found, packed=source.packed, run=run, recordings=source.recordings)
    if logs:
        found = replace(found, logs=logs.trainings, log_texts=logs.texts)
        require_answerable(found, logs.scenario)
    return found


def changed(
    study: Study,
    overrides: Sequence[str],
    networks: network_files.Given = (),
    vary: vary_option.Given = (),
) -> Study:
    """The study with 'a.b=value' overrides, other networks and sweeps, and its recordings and logs.

    Raises ScenarioError.
    """
    tree = study.document.tree
    if networks:
        tree, overrides = network_files.with_networks(tree, networks, overrides)
    tree = vary_option.with_sweeps(tree, vary)
    whole = document.with_overrides(tree, overrides)
    found = expand_variants(whole, "the scenario", study.only, logged=bool(study.logs))
    return replace(study, document=found.document, scenario=found.scenario, variants=found.variants)


def are_logs(paths: Sequence[Path]) -> bool:
    """Whether the paths are message logs. Raises ScenarioError for several paths of other kinds."""
    for each in paths if len(paths) > 1 else ():
        if not is_log(each):
            raise ScenarioError(
                f"{printable(str(each))}: found {len(paths)} paths; allowed: one scenario, run "
                "folder or packed recording, or one or several message logs",
                "message logs are files that end in .jsonl or .csv",
            )
    return is_log(paths[0])


def _from_run(folder: Path) -> tuple[Node, list[str]]:
    """The scenario and the methods of the run in `folder`. Raises LedgerError."""
    if (folder / "settings.json").exists():
        raise LedgerError(
            f"{folder} is a recording, which does not have a scenario",
            "give the folder of a run, or a scenario",
        )
    with open_run(folder) as stored:
        meta = stored.meta()
    name = f"{printable(str(folder))}: scenario"
    try:
        methods = [str(method) for method in json.loads(meta["methods"])]
        return document.parse(meta["scenario"], name, document.MOST_NODES), methods
    except (KeyError, ValueError, TypeError) as error:
        raise LedgerError(
            f"{folder}: its ledger has no scenario and methods ({error!r})",
            "run the scenario again with this version of flasc-emu",
        ) from None
