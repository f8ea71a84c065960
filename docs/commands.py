"""docs/reference/commands.md, from the commands themselves: python docs/commands.py >
docs/reference/commands.md."""

import inspect
from collections.abc import Iterator

import click

from emulator.cli import main

HEAD = """\
# Commands

What `--help` says, of each command. This page is made by `python docs/commands.py`.
"""


def page() -> str:
    """The whole page, Markdown."""
    context = click.Context(main, info_name="flasc-emu", **main.context_settings)
    return "\n".join([HEAD, *sections(main, context)])


def sections(command: click.Command, context: click.Context) -> Iterator[str]:
    """A section for `command`, then one for each that it holds."""
    if not isinstance(command, click.Group) or context.parent:
        yield section(command, context)
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from sections(inner, click.Context(inner, info_name=name, parent=context))


def section(command: click.Command, context: click.Context) -> str:
    """Usage, help and a list of options."""
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    options = (param for param in command.params if isinstance(param, click.Option))
    records = filter(None, (option.get_help_record(context) for option in options))
    listed = "\n".join(f"- `{name}`: {' '.join(said.split())}" for name, said in records)
    parts = [
        f"## {context.command_path}",
        f"`{usage}`",
        inspect.cleandoc(command.help or ""),
        listed,
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


if __name__ == "__main__":
    click.echo(page(), nl=False)
