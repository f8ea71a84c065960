"""What setup.py promises is what was tested."""

import re
import runpy
from pathlib import Path

import setuptools

ROOT = Path(__file__).parent.parent
REQUIREMENT = re.compile(r"([A-Za-z][\w.-]*)(?:\[.*\])?(?:>=([\d.]+))?")


def promised(monkeypatch):
    """The arguments that setup.py passes to setuptools."""
    found = {}
    monkeypatch.setattr(setuptools, "setup", lambda **arguments: found.update(arguments))
    runpy.run_path(str(ROOT / "setup.py"))
    return found


def test_the_lower_bounds_are_those_that_make_test_lowest_installs(monkeypatch):
    found = promised(monkeypatch)
    needed = found["install_requires"] + found["extras_require"]["test"]
    bounds = dict(REQUIREMENT.match(each).groups() for each in needed)
    lines = (ROOT / "constraints/lowest.txt").read_text().split()
    assert dict(line.split("==") for line in lines) == {k: v for k, v in bounds.items() if v}
    assert found["python_requires"] == ">=3.10"  # the Python of `make test-lowest`
    assert "python3.10" in (ROOT / "Makefile").read_text()
