"""Runs the Flower app with both methods in Flower's simulation and says how to time their logs.

python examples/flower/run.py [FOLDER]     (default: runs/flower_logs)
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
        sys.exit(f"{found[0]}: found a file; allowed: a new name\nhint: name another folder")
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {
            "FLWR_HOME": home,
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        with superlink(Path(home), environment):
            for method, log in zip(METHODS, logs, strict=True):
                train(method, log.resolve(), environment)
    networks = " ".join(f"--network scenarios/networks/{each}.yaml" for each in NETWORKS)
    print("\nto time the logs:\nflasc-emu run", *logs, networks)


@contextmanager
def superlink(home: Path, environment: dict[str, str]) -> Iterator[None]:
    """A SuperLink of its own, which is stopped at the end.

    The one that `flwr run` starts by itself keeps running, and installs the app's dependencies.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    (home / "config.toml").write_text(
        f'[superlink]\ndefault = "example"\n[superlink.example]\naddress = "{address}"\n'
        "insecure = true\n"
    )
    command = [
        "flower-superlink", "--insecure", "--simulation", "--isolation", "subprocess",
        "--disable-runtime-dependency-installation", "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    with (home / "superlink.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_for(port, process, home / "superlink.log")
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_WALL_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the SuperLink listens. Exit if it ends before that."""
    end = time.monotonic() + START_WALL_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)
    sys.exit(f"the SuperLink did not start:\n{log.read_text('utf-8', 'replace')}")


def train(method: str, log: Path, environment: dict[str, str]) -> None:
    """Run the app with one method, with its output on the terminal."""
    print(f"training with {method} messages", flush=True)
    command = [
        "flwr", "run", str(APP), "--stream",
        "--run-config", f'method="{method}" log="{log}"',
        "--federation-config", f"num-supernodes={SUPERNODES} client-resources-num-cpus=1",
    ]  # fmt: skip
    subprocess.run(command, env=environment, check=True)
    try:
        found = read(log)
    except MessageLogError as error:
        sys.exit(f"{error}: Flower's output above says why")
    print(f"{log}: {found.rounds} rounds, {len(found.visits)} visits")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs/flower_logs"))
