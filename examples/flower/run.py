"""Runs the Flower app with both methods in Flower's simulation and says how to time their logs.

python examples/flower/run.py [FOLDER]     (default: runs/flower_logs)
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from emulator.common.errors import MessageLogError
from emulator.integrations.message_log import read

APP = Path(__file__).resolve().parent
METHODS = ("dense", "sparse")
NETWORKS = ("4g_cell", "5g", "cable", "leo")
SUPERNODES = 20  # task.CLIENTS
START_WALL_S = 120.0
STOP_WALL_S = 30.0


def main(folder: Path) -> None:
    """Write a log per method to `folder`."""
    logs = [folder / f"{method}.jsonl" for method in METHODS]
    if found := [log for log in logs if log.exists()]:
        refuse(f"{found[0]}: found a file; allowed: a new name", "name another folder")
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {
            "FLWR_HOME": home,
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        if shutil.which("flower-superlink", path=environment["PATH"]) is None:
            what = "found no such command; allowed: an environment with Flower"
            refuse(f"flower-superlink: {what}", "pip install -e '.[flower]'")
        with superlink(Path(home), environment):
            for method, log in zip(METHODS, logs, strict=True):
                train(method, log, environment)
    networks = " ".join(f"--network scenarios/networks/{each}.yaml" for each in NETWORKS)
    print("\nto time the logs:\nflasc-emu run", *logs, networks)


def refuse(message: str, hint: str) -> NoReturn:
    """End the program, as flasc-emu does for a mistake of the user."""
    print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    sys.exit(2)


@contextmanager
def superlink(home: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """A SuperLink of its own, which is stopped at the end with the processes that it started.

    The one that `flwr run` starts by itself keeps running, and installs the app's dependencies.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (home / "config.toml").write_text(
        '[superlink]\ndefault = "example"\n[superlink.example]\n'
        f'address = "127.0.0.1:{port}"\ninsecure = true\n'
    )
    command = [
        "flower-superlink", "--insecure", "--simulation", "--isolation", "subprocess",
        "--disable-runtime-dependency-installation", "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with (home / "superlink.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(port, process, home / "superlink.log")
        yield
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a process and all others of its session: politely, then by force."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_WALL_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the SuperLink listens. End the program if it does not start."""
    end = time.monotonic() + START_WALL_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)
    text = log.read_text("utf-8", "replace")
    refuse(f"the SuperLink did not start: {text}", "flower-superlink --help")


def train(method: str, log: Path, environment: Mapping[str, str]) -> None:
    """Run the app with one method, with its output on the terminal."""
    print(f"training with {method} messages", flush=True)
    command = [
        "flwr", "run", str(APP), "--stream",
        "--run-config", f'method="{method}" log="{log.resolve()}"',
        "--federation-config", f"num-supernodes={SUPERNODES} client-resources-num-cpus=1",
    ]  # fmt: skip
    hint = "the output of Flower above says why"
    if code := subprocess.run(command, env=environment, check=False).returncode:
        refuse(f"flwr run: ended with exit code {code}", hint)
    try:
        found = read(log)
    except MessageLogError as error:
        refuse(str(error), hint)
    print(f"{log}: {found.rounds} rounds, {len(found.visits)} visits", flush=True)


if __name__ == "__main__":
    if any(argument.startswith("-") for argument in sys.argv[1:]):
        sys.exit("usage: python examples/flower/run.py [FOLDER OF THE LOGS]")
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs/flower_logs"))
