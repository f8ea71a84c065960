import contextlib
import gc

from click.testing import CliRunner

from emulator.cli import main
from emulator.common.garbage import relaxed_gc


def test_the_garbage_collector_is_as_it_was_before():
    before = gc.get_threshold()
    with contextlib.suppress(ZeroDivisionError), relaxed_gc():
        assert gc.get_threshold() > before
        raise ZeroDivisionError
    assert gc.get_threshold() == before


def test_commands_relax_it_and_leave_it_as_it_was(monkeypatch):
    before, found = gc.get_threshold(), []
    monkeypatch.setattr(main.commands["list"], "callback", lambda: found.append(gc.get_threshold()))
    monkeypatch.setattr(main.commands["list"], "params", [])
    assert CliRunner().invoke(main, ["list"]).exit_code == 0
    assert found[0] > before == gc.get_threshold()
