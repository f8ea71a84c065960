"""Phrases that the project does not use: old or unclear English, and words of its own."""

import re

REFUSED = (
    "mend", "mends", "mended", "in vain", "whoever", "somebody", "nobody", "by turns", "in turns",
    "dear", "goes on", "main job", "pricing",
)  # fmt: skip
_REFUSED = re.compile(r"\b(?:" + "|".join(REFUSED).replace(" ", r"\s+") + r")\b", re.IGNORECASE)


def refused(text: str) -> list[str]:
    """Each refused phrase in `text`, in order, with its line: '3: in vain'."""
    return [
        f"{text.count(chr(10), 0, found.start()) + 1}: {' '.join(found[0].split())}"
        for found in _REFUSED.finditer(text)
    ]
