"""What setup.py promises is what was tested."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
REQUIREMENT = re.compile(r"([A-Za-z][\w.-]*)(?:\[.*\])?(?:>=([\d.]+))?")


def promised():
    """The arguments that setup.py passes to setuptools, as far as they are literals."""
    tree = ast.parse((ROOT / "setup.py").read_text("utf-8"))
    (call,) = (node for node in ast.walk(tree) if getattr(node, "func", None) and
               getattr(node.func, "id", "") == "setup")  # fmt: skip
    wanted = ("python_requires", "install_requires", "extras_require")
    return {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg in wanted}


def test_the_lower_bounds_are_those_that_make_test_lowest_installs():
    found = promised()
    needed = found["install_requires"] + found["extras_require"]["test"]
    bounds = dict(REQUIREMENT.match(each).groups() for each in needed)
    lines = (ROOT / "constraints/lowest.txt").read_text().split()
    assert dict(line.split("==") for line in lines) == {k: v for k, v in bounds.items() if v}
    assert found["python_requires"] == ">=3.10"  # the Python of `make test-lowest`
    assert "python3.10" in (ROOT / "Makefile").read_text()


def test_each_set_of_versions_names_all_that_is_needed():
    """What it lacks is not pinned, and the light tests, installed from it alone, go without."""
    needed = {REQUIREMENT.match(each)[1].lower() for each in promised()["install_requires"]}
    for path in (ROOT / "constraints").glob("python*.txt"):
        pinned = {line.split("==")[0].lower() for line in path.read_text().split()}
        # torch is pinned in the Makefile; what needs it may stay out of the light tests
        assert needed - pinned <= {"torch"}, path.name
