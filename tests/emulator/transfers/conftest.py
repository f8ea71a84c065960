import pytest
from click.testing import CliRunner

from emulator.cli import main


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
