"""How every command speaks: one message and an exit code for an error, signals that unwind."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

import click

from flasc.common.errors import UserError


class _Stopped(KeyboardInterrupt):
    """A signal asks us to stop: everything unwinds as for Ctrl-C."""

    def __init__(self, number: int) -> None:
        self.number = number


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise _Stopped(number)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Being terminated, and a closed terminal, unwind like Ctrl-C; what is ignored stays so."""
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


@contextlib.contextmanager
def _one_message() -> Iterator[None]:
    """A typed error becomes one message and its exit code; Ctrl-C a promise."""
    try:
        with _signals():
            yield
    except UserError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as stop:
        number = stop.number if isinstance(stop, _Stopped) else signal.SIGINT
        what = "interrupted" if number == signal.SIGINT else "terminated"
        click.echo(f"\n{what}: run the same command again to go on from here", err=True)
        sys.exit(128 + number)


class Commands(click.Group):
    """Every command speaks of errors in the same voice, and a mistyped one is met halfway."""

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command, in that voice."""
        with _one_message():
            return super().invoke(ctx)
