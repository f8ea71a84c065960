import pytest
from click.testing import CliRunner

from emulator.cli import main


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Call the command line in this process, in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FLASC_EMU_CACHE", str(tmp_path / "cache"))

    def invoked(*args):
        result = CliRunner().invoke(main, list(map(str, args)))
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result.exit_code, result.stdout, result.stderr

    return invoked
