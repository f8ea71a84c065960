"""What the site needs of a page that is written for the repository."""

import re
from typing import Any


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The site holds docs/ alone: a link to a file outside of it becomes its text."""
    return re.sub(r"\[([^]]+)\]\(\.\./[^)]+\)", r"`\1`", markdown)
