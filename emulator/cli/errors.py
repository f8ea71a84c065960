"""Error messages, exit codes and signals of every command."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

import click
from typing_extensions import override

from emulator.common.garbage import relaxed_gc
from flasc.common.errors import UserError


class _Stopped(KeyboardInterrupt):
    """Raised by a signal that terminates the program."""

    def __init__(self, number: int) -> None:
        self.number = number


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise _Stopped(number)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Raise _Stopped for SIGTERM and SIGHUP; ignored signals stay ignored."""
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    found = [getattr(signal, name) for name in names]
    taken = [number for number in found if signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


class Commands(click.Group):
    """All commands report errors and interruptions in one format and exit with their code."""

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _signals(), relaxed_gc():
                return super().invoke(ctx)
        except UserError as error:
            click.echo(f"error: {error.message}", err=True)
            if error.hint:
                click.echo(f"hint: {error.hint}", err=True)
            sys.exit(error.exit_code)
        except (KeyboardInterrupt, click.Abort) as stop:
            number = stop.number if isinstance(stop, _Stopped) else signal.SIGINT
            what = "interrupted" if number == signal.SIGINT else "terminated"
            click.echo(f"\n{what}: run the same command again to resume", err=True)
            sys.exit(128 + number)
