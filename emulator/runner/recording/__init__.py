"""Recordings: what was trained once is read from disk.

A training state has an id: the hash of its parent's id and of the operation that made it. The id of
the root is the hash of the settings. A recording is a folder named after its root:

    settings.json   what is trained, and on what (provenance)
    log.jsonl       entries, one per line, appended only
    states/         some states to restart from (safetensors), named by id
    adapter/        the newest exported model

`RecordingTrainer` has the interface of a `Trainer`. A known id is looked up in a dictionary; an
unknown one is trained from the nearest saved state. This one mechanism gives replay, resuming and
incremental retraining.
"""

from emulator.runner.recording.remote import RecordingServer, RemoteRecording
from emulator.runner.recording.replay import LiveTrainer, RecordingTrainer
from emulator.runner.recording.store import Recording

__all__ = ["LiveTrainer", "Recording", "RecordingServer", "RecordingTrainer", "RemoteRecording"]
