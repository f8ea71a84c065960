import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
LONG = (
    "test_default_scenario.py", "test_adapters.py", "test_plugins.py", "test_recordings.py",
    "test_stress.py",
)  # fmt: skip


# A busy machine is no fault of a test.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure():
    """Signals reach the programs under test even where a shell started pytest in the background.

    A shell script starts such a command with SIGINT ignored, nohup with SIGHUP ignored, and every
    process that it starts inherits that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items):
    """The longest first, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A folder that the example packages were installed into, without network."""
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    options = ["--no-index", "--disable-pip-version-check", "--root-user-action=ignore"]
    sources = [tmp_path_factory.mktemp("source") / name for name in ("rotating", "own")]
    for source in sources:
        shutil.copytree(ROOT / "examples" / source.name, source)  # built in place
    done = subprocess.run(
        [*pip, *options, "--target", target, *sources], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="session")
def beside():
    """Runs python, in a fresh process that finds packages in a folder as well."""

    def run(folder, *args):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
        return subprocess.run(
            [sys.executable, *map(str, args)],
            capture_output=True, text=True, check=False, cwd=ROOT, env=environment,
        )  # fmt: skip

    return run


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes a package that brings plug-ins: found here, and in processes beside `tmp_path`."""

    def make(name, text, groups):
        (tmp_path / f"{name}.py").write_text(text)
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        points = "".join(f"[{group}]\n{point}\n" for group, point in groups.items())
        (info / "entry_points.txt").write_text(points)
        monkeypatch.syspath_prepend(tmp_path)
        return tmp_path

    return make
