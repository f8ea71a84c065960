"""What every campaign has: a seed, a tally, a limit in time, and a fence around its folder."""

import contextlib
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flasc.common.errors import UserError

MOST_SHOWN = 20


class TooLongError(BaseException):
    """An input exceeded its time limit. A BaseException, so that no handler catches it."""


class EscapeError(BaseException):
    """Something was written outside of the campaign's folder."""


@dataclass
class Tally:
    """How a campaign went. `refused` of those `tried` got a typed error, the rest a result."""

    name: str
    seed: int
    tried: int = 0
    refused: int = 0
    lost: list[str] = field(default_factory=list)
    note: str = ""
    _since: float = field(default_factory=time.monotonic)

    def attempt(self, label: str, act: Callable[[], object], limit_s: float = 20.0) -> None:
        """Do it. A typed error that says something is as good as a result; all else is a loss."""
        self.tried += 1
        try:
            with bounded(limit_s):
                act()
        except UserError as error:
            self.refused += 1
            if not error.message:
                self.lose(label, "a typed error without a message")
        except (Exception, TooLongError, EscapeError) as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(at.filename).name}:{at.lineno}"
            self.lose(label, f"{type(error).__name__} at {where}: {str(error)[:300]}")

    def lose(self, label: str, why: str) -> None:
        """One that did not survive; `label` is how to find it again."""
        self.lost.append(f"{label}: {why}")

    def line(self) -> str:
        """The one line of a campaign."""
        wall_s = time.monotonic() - self._since
        survived = self.tried - len(self.lost)
        return (
            f"{self.name}: tried {self.tried:,}, survived {survived:,} (refused "
            f"{self.refused:,}), lost {len(self.lost)}, seed {self.seed}, {wall_s:.0f} s, "
            f"{peak_megabytes():.0f} MB{', ' * bool(self.note)}{self.note}"
        )

    def told(self) -> list[str]:
        """The line, and what was lost."""
        return [self.line(), *(f"  lost: {each}" for each in self.lost[:MOST_SHOWN])]


@contextlib.contextmanager
def bounded(limit_s: float) -> Iterator[None]:
    """Raise TooLongError inside of what runs for longer, wherever it is."""

    def ring(*_: object) -> None:
        raise TooLongError(f"longer than {limit_s:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def peak_megabytes() -> float:
    """Peak resident memory of this process.

    In `ru_maxrss` Linux includes that of the process which started this one, in VmHWM it does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def limit_memory(most_bytes: int) -> None:
    """Let this process have so much address space: what asks for more gets a MemoryError."""
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))


def fence(folder: Path) -> None:
    """From now on, whatever this process writes, makes or deletes outside `folder` is an escape.

    An audit hook (PEP 578): it hears of every file that Python opens, and cannot be taken out.
    """
    inside = str(folder.resolve())
    changing = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink"}
    changing |= {"os.truncate", "os.chmod", "shutil.rmtree", "shutil.copyfile", "shutil.move"}

    def hear(event: str, args: tuple[object, ...]) -> None:
        if event == "open":
            path, _, flags = args
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if not writes or isinstance(path, int):
                return
        elif event in changing:
            path = args[0]
            if isinstance(path, int):
                return  # an open file: the hook saw it when it was opened
            in_folder = isinstance(args[-1], int) and args[-1] >= 0
            if in_folder and not Path(os.fsdecode(path)).is_absolute():
                return  # relative to a folder that `shutil.rmtree` was heard of with
        elif event in ("subprocess.Popen", "os.system", "os.exec", "pickle.find_class"):
            raise EscapeError(f"{event} {args[0]!r}")
        else:
            return
        at = os.path.realpath(os.fsdecode(path)) if isinstance(path, str | bytes | Path) else ""
        if at and not f"{at}/".startswith((f"{inside}/", "/dev/null/")) and "__pycache__" not in at:
            raise EscapeError(f"{event} {at}")

    sys.addaudithook(hear)
