"""The seam again, remembering: what was trained once is answered from disk.

A training state has an id: the hash of its parent's id and of the operation that made it; the
root's is the hash of the settings. A recording is a folder named after its root:

    settings.json   what is trained, and on what (provenance)
    log.jsonl       facts, one a line, only ever appended
    states/         some states to restart from (safetensors), named by id
    adapter/        the newest exported model

`RecordingTrainer` has the seam's interface. A known id costs a dictionary look-up; an unknown one
is trained from the nearest kept state. So a second network trains nothing, a killed run goes on by
being run again, and a changed decision trains only what follows from it.
"""

from emulator.runner.recording.entries import digest
from emulator.runner.recording.remote import RecordingServer, RemoteRecording
from emulator.runner.recording.replay import LiveTrainer, RecordingTrainer
from emulator.runner.recording.store import Recording

__all__ = [
    "LiveTrainer",
    "Recording",
    "RecordingServer",
    "RecordingTrainer",
    "RemoteRecording",
    "digest",
]
