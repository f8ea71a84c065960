"""Every reader of files refuses what is no file of text, with a message."""

import contextlib
import os
import pickle
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from emulator.common import text_files
from emulator.common.errors import ScenarioError
from emulator.network.traces.formats import FORMATS, read_trace
from emulator.simulation.clients.device_formats import read_fedscale, read_flash

READERS = [read_fedscale, read_flash, *(partial(read_trace, format=name) for name in FORMATS)]


class Unpickled:
    def __reduce__(self):
        return os.mkdir, ("must_not_exist",)


def test_a_pickle_is_not_opened_and_the_hint_says_what_to_do(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScenarioError) as raised:
        read_fedscale(file(pickle.dumps(Unpickled())))
    assert not Path("must_not_exist").exists()
    assert "found byte 0x80" in raised.value.message
    assert "if you trust yours: python -c" in raised.value.hint


@pytest.mark.parametrize("read", READERS)
def test_what_is_no_file(read, tmp_path, monkeypatch, file):
    with pytest.raises(ScenarioError, match="no such file"):
        read(tmp_path / "gone")
    with pytest.raises(ScenarioError, match="found a directory or device"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe")  # would wait for ever
    with pytest.raises(ScenarioError, match="found a directory or device"):
        read(tmp_path / "pipe")
    monkeypatch.setattr(text_files, "MAX_BYTES", 100)
    with pytest.raises(ScenarioError, match="found more than 0 MiB"):
        read(file("1" * 101))


@pytest.mark.parametrize("read", READERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(st.sampled_from(["time_s,up_Bps", "1", "2,3", "5e-324,1e15", "1e15,1"])).map(
            lambda lines: "\n".join(lines).encode()
        ),
    )
)
def test_any_bytes_are_read_or_refused_as_a_users_mistake(read, file, content):
    with contextlib.suppress(ScenarioError):
        read(file(content))
