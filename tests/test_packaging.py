"""What setup.py promises is what was tested."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.slow  # builds a source archive, a wheel of it, and installs that
def test_an_installed_wheel_knows_scenarios_and_networks_by_name(tmp_path):
    pytest.importorskip("setuptools", minversion="70.1")  # it makes wheels itself since then
    source, built, site = (tmp_path / name for name in ("source", "built", "site"))
    for name in ("emulator", "flasc", "scenarios"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)

    def run(*command, cwd=tmp_path, **options):
        piped = {"stdout": subprocess.PIPE, "text": True, "cwd": cwd} | options
        return subprocess.run(command, check=True, **piped).stdout

    build = "from setuptools import build_meta as b; b.build_{}({!r})"
    run(sys.executable, "-c", build.format("sdist", str(built)), cwd=source)
    (archive,) = built.glob("*.tar.gz")
    shutil.unpack_archive(archive, built, filter="data")
    (unpacked,) = (path for path in built.iterdir() if path.is_dir())
    run(sys.executable, "-c", build.format("wheel", str(built)), cwd=unpacked)
    (wheel,) = built.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", site)
    run(*pip, wheel)
    env = os.environ | {"PYTHONPATH": str(site)}
    where = run(sys.executable, "-c", "import emulator; print(emulator.__file__)", env=env)
    assert Path(where.strip()).is_relative_to(site)
    said = run(sys.executable, "-m", "emulator", "check", "smoke", "--network", "4g_cell", env=env)
    assert said.startswith("smoke: fine\n")
    assert "\n4g_cell: down" in said
    assert "\n  leo  " in run(sys.executable, "-m", "emulator", "list", "networks", env=env)
