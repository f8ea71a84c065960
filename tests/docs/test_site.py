"""The documentation as a site: all pages are in the navigation; MkDocs builds without warnings."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from .markdown import PAGES, ROOT


def test_the_site_has_every_page():
    def files(nav: Any) -> Iterator[str]:
        for value in nav.values() if isinstance(nav, dict) else nav:
            yield from [value] if isinstance(value, str) else files(value)

    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in PAGES[1:]]
    assert sorted(files(nav)) == sorted(pages)


def test_the_site_is_built_without_a_warning_and_asks_for_nothing(tmp_path, monkeypatch):
    pytest.importorskip("material", reason="the site's tools are the extra `docs`")
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    for page in PAGES[1:]:
        made = tmp_path / page.relative_to(ROOT / "docs").with_suffix(".html")
        html = made.read_text("utf-8")
        tags = re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", html)
        assert tags
        assert not [tag for tag in tags if re.search(r"(?:src|href)=\"?(?:https?:)?//", tag)]
