"""Commands for those who write scenarios: new, schema."""

import json

import click


@click.command()
@click.argument("what", type=click.Choice(["scenario", "network"]), default="scenario")
def schema(what: str) -> None:
    """Print the JSON Schema of a scenario (or of a network), for editors."""
    from emulator.schema import network_schema, scenario_schema

    found = scenario_schema() if what == "scenario" else network_schema()
    click.echo(json.dumps(found, indent=1, ensure_ascii=False))
