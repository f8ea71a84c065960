import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.common.errors import SupportError
from emulator.network.tcp import Tcp
from emulator.testbed.cases import Case
from emulator.testbed.linux import run
from emulator.testbed.schedule import Message, Star
from emulator.testbed.simulate import time_messages


@pytest.fixture
def transfers(tmp_path, monkeypatch):
    """Call `flasc-emu transfers` in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def called(*args):
        result = CliRunner().invoke(main, ["transfers", *map(str, args)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result.exit_code, result.stdout, result.stderr

    return called


@pytest.fixture(scope="session")
def real():
    """Skips where this machine cannot re-enact networks."""
    try:
        run.ceiling()
    except SupportError as error:
        pytest.skip(error.message)


@pytest.fixture
def case():
    """Two clients, 7 and 9, that download and upload; nothing is recorded anywhere."""
    rates = [2.5e6, 2.5e6]
    star = Star(rates, rates, [0.02, 0.02], [0.0, 0.0], 1.25e8, 1.25e8)
    messages = [
        Message(0, "down", 100_000),
        Message(0, "up", 30_000, 0.0, 0),
        Message(1, "down", 100_000),
        Message(1, "up", 30_000, 0.1, 2),
    ]
    simulated = time_messages(star, messages, Tcp())
    return Case("LoRA", "fast", 0, 1, [7, 9], star, messages, Tcp(), simulated)
