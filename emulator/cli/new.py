"""Commands `new` and `schema`."""

import json
import shlex
import sys
from pathlib import Path

import click

from emulator.cli.options import PATH


@click.command()
@click.argument("what", type=click.Choice(["scenario", "network", "log"]), default="scenario")
def schema(what: str) -> None:
    """Print the JSON Schema of scenario or network files, or of one line of a message log."""
    from emulator.integrations.message_log.schema import log_schema
    from emulator.scenario.json_schema import network_schema, scenario_schema

    schemas = {"scenario": scenario_schema, "network": network_schema, "log": log_schema}
    found = schemas[what]()
    click.echo(json.dumps(found, indent=1, ensure_ascii=False))


@click.command()
@click.argument("file", type=PATH, default=Path("scenario.yaml"))
@click.option(
    "--preset", metavar="NAME", help="Access network of the clients; see flasc-emu list presets."
)
@click.option(
    "--network",
    type=PATH,
    metavar="NAME|FILE",
    help="Network of clients and server: a name from flasc-emu list networks, or a file.",
)
@click.option("--from", "base", type=PATH, metavar="NAME|FILE", help="Scenario to extend.")
@click.option(
    "--data",
    type=PATH,
    metavar="FILE",
    help="Your own table: labelled texts, or prompts and answers (.csv, .tsv, .jsonl, .parquet).",
)
@click.option(
    "--model",
    metavar="NAME|FOLDER",
    help="With --data: the pretrained model.  [default: minilm for labelled texts]",
)
def new(
    file: Path,
    preset: str | None,
    network: Path | None,
    base: Path | None,
    data: Path | None,
    model: str | None,
) -> None:
    """Write a first scenario with comments to FILE, and its JSON Schema beside it.

    On a terminal and without options, the command asks for the most important settings.
    """
    from emulator.common.errors import ScenarioError
    from emulator.common.text import suggestion
    from emulator.scenario import data_template, template
    from emulator.simulation.clients.presets import PRESETS

    given = {"--preset": preset, "--network": network, "--from": base}
    if len(options := [name for name, value in given.items() if value]) > 1:
        raise click.UsageError(f"found {' and '.join(options)}; allowed: one of them")
    if data and base:
        raise click.UsageError("found --data and --from; allowed: one of them")
    if model and not data:
        raise click.UsageError("found --model without --data; allowed: with --data")
    if preset and preset not in PRESETS:
        raise ScenarioError(f"--preset {preset}: unknown{suggestion(preset, list(PRESETS))}")
    name = template.name_for(file)
    if base:
        text = template.extending(name, base, file)
    elif data:
        links = template.network_text(network) if network else None
        text = data_template.whole(name, data, file, model, preset=preset, network=links)
    elif network:
        text = template.whole(name, network=template.network_text(network))
    elif preset or not _on_a_terminal():
        text = template.whole(name, preset)
    else:
        text = _asked(name)
    schema = template.write(file, text)
    click.echo(f"{file}: written, with {schema.name} beside it")
    said = shlex.quote(str(file))
    click.echo(f"next: flasc-emu check {said}, then flasc-emu run {said}")


def _on_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _asked(name: str) -> str:
    """Ask a few questions and return the text of a scenario."""
    from emulator.scenario import template
    from emulator.simulation.clients.presets import PRESETS

    preset = click.prompt("Access network of the clients", "4g", type=click.Choice(list(PRESETS)))
    clients = click.prompt("Number of clients", 350, type=click.IntRange(1, 2**31 - 1))
    target = click.prompt("Target accuracy, in percent", 50, type=click.IntRange(1, 100))
    usual = ("lora", "flasc")
    kinds = [kind for kind in template.METHODS if click.confirm(f"Method {kind}", kind in usual)]
    return template.whole(name, preset, clients, kinds or ["lora"], f"accuracy: {target} %")
