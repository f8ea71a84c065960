"""Merges two recordings of one training, of which one goes further than the other."""

from emulator.runner.recording.store import Recording


def conflict(one: Recording, other: Recording) -> str:
    """Why two recordings of one training do not fit together, for a message; '' if they do."""
    for name in ("download", "upload"):
        mine, theirs = getattr(one, f"{name}s"), getattr(other, f"{name}s")
        for key in mine.keys() & theirs.keys():
            if mine[key] != theirs[key]:
                state, client = key
                return f"the {name} of client {client} after {_rounds(one, state)}"
    for key in one.scores.keys() & other.scores.keys():
        if one.scores[key] != other.scores[key]:
            state, split = key
            return f"the {split} score after {_rounds(one, state)}"
    if not (one.steps.keys() <= other.steps.keys() or other.steps.keys() <= one.steps.keys()):
        return "the clients and weights of their rounds"
    return ""


def _rounds(recording: Recording, state: str) -> str:
    count = recording.depth(state)
    return f"{count} round{'' if count == 1 else 's'}"


def merge(one: Recording, other: Recording) -> Recording:
    """The longer recording, in memory, with the entries that only the shorter one has.

    The shorter one has the scores of its last round, for example. There is no `conflict`.
    """
    longer, shorter = (one, other) if len(one.steps) >= len(other.steps) else (other, one)
    longer.downloads.update(shorter.downloads)
    longer.uploads.update(shorter.uploads)
    longer.scores.update(shorter.scores)
    if longer.about.labels is None:
        longer.about = shorter.about
    return longer
