"""A recording of a local model is not used for other weights of the same name."""

import contextlib
import json

import pytest

from emulator.common.errors import RecordingError
from emulator.runner.recording import Recording, RecordingServer, RemoteRecording
from emulator.runner.recording.identity import differences, root_of, weights_in

SETTINGS = {"what": "toy", "task": {"model": "./model"}}


@pytest.fixture
def record(tmp_path):
    """Records an entry of a training from some weights; gives the recording."""

    def recorded(weights, provenance=None):
        recording = Recording(tmp_path, SETTINGS, weights=weights)
        own = {"weights": weights} if provenance is None else provenance
        with recording.writing(own):
            recording.add("about", examples=[1], flop_per_example=1.0)
        return recording

    return recorded


def test_the_settings_alone_name_a_folder_that_is_new(tmp_path):
    assert Recording(tmp_path, SETTINGS, weights="A").root == Recording(tmp_path, SETTINGS).root


def test_each_model_has_its_recording(record, tmp_path):
    first, second = record("A"), record("B")
    assert first.root != second.root
    for weights, recording in (("A", first), ("B", second), ("", first)):
        assert Recording(tmp_path, SETTINGS, weights=weights).folder == recording.folder
    assert Recording(tmp_path, SETTINGS, weights="C").about.examples is None
    with contextlib.suppress(OSError):
        first.folder.rename(tmp_path / "away")
    assert Recording(tmp_path, SETTINGS, weights="B").folder == second.folder


def test_an_older_recording_does_not_say_and_is_used(record, tmp_path):
    old = record("", {"model": "./model"})
    assert Recording(tmp_path, SETTINGS, weights="A").folder == old.folder
    with Recording(tmp_path, SETTINGS, weights="A").writing({"weights": "A"}):
        pass


def test_nothing_is_trained_from_other_weights(record, tmp_path):
    """The weights may not be at hand when the recording is opened, as for a model of the hub."""
    folder = record("A").folder
    with (
        pytest.raises(RecordingError, match="trained from the weights A; found B now"),
        Recording(tmp_path, SETTINGS).writing({"weights": "B"}),
    ):
        pass
    assert json.loads((folder / "settings.json").read_text())["provenance"] == {"weights": "A"}


def test_substitute_models_are_compared_too(tmp_path):
    said = "substitute model {} (settings 0123456789ab, weights {}), pretrained on this machine"
    first, other = (said.format("friends-gpt2", digit * 12) for digit in "ab")
    assert weights_in({"model": first}) == "a" * 12
    with Recording(tmp_path, SETTINGS).writing({"model": first}):
        pass
    with (
        pytest.raises(RecordingError, match="trained from the weights aaaaaaaaaaaa"),
        Recording(tmp_path, SETTINGS).writing({"model": other}),
    ):
        pass


def test_a_provenance_is_compared_by_the_names_that_both_have():
    recorded = {"device": "cpu", "torch": "2.12.0", "numpy": "2.4.6"}
    assert differences(recorded, recorded | {"metric": "accuracy"}) == ""
    assert differences(recorded, {"torch": "2.12.0"}) == ""
    now = {"device": "NVIDIA H200", "torch": "2.13.0", "numpy": "2.4.6"}
    assert differences(recorded, now) == "device cpu (now NVIDIA H200), torch 2.12.0 (now 2.13.0)"


class Straight:
    def __init__(self, server):
        self.server, self.answer = server, None

    def send(self, call):
        self.answer = self.server.do(call)

    def recv(self):
        return self.answer


def test_a_worker_elsewhere_uses_the_folder_that_was_chosen_here(record, tmp_path):
    folder = record("A").folder
    for weights, same in (("A", True), ("B", False), ("", True)):
        pipe = Straight(RecordingServer(tmp_path, SETTINGS, weights=weights))
        afar = RemoteRecording(tmp_path, SETTINGS, pipe, weights=weights)
        assert (afar.folder == folder) == same
        assert afar.root == Recording(tmp_path, SETTINGS, weights=weights).root


def test_damage_does_not_choose_a_folder(record, tmp_path):
    folder = record("A").folder
    for content in ("{", "[]", '{"settings": 1, "provenance": 3}', '{"provenance": null}'):
        (folder / "settings.json").write_text(content)
        assert root_of(tmp_path, SETTINGS, "B") == folder.name
