"""What the site needs of a page that is written for the repository."""

import posixpath
import re
from typing import Any


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The site holds docs/ alone: a link to a file outside of it becomes its text."""
    folder = posixpath.dirname(page.file.src_uri)

    def local(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[2]))
        return f"`{link[1]}`" if target.startswith("..") else link[0]

    return re.sub(r"\[([^]]+)\]\(([^):#\s]+)[^)]*\)", local, markdown)
