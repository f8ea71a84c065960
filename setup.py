"""Packaging of flasc-emu. Build, lint and test settings live in pyproject.toml."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "([^"]+)"', (HERE / "emulator/__init__.py").read_text("utf-8"), re.M
)
assert VERSION, "emulator/__init__.py names the version"


class BuildWithScenarios(build_py):
    """Packages a copy of scenarios/, which `emulator.scenario.shipped` finds by name."""

    def run(self):
        """Build as usual, then copy; an editable install finds the folder itself."""
        super().run()
        if not self.editable_mode:
            into = Path(self.build_lib) / "emulator/shipped"
            shutil.rmtree(into, ignore_errors=True)
            shutil.copytree(HERE / "scenarios", into)


setup(
    name="flasc-emu",
    version=VERSION[1],
    description="What would this federated fine-tuning method cost over real networks?",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    packages=find_packages(include=["emulator", "emulator.*", "flasc", "flasc.*"]),
    package_data={
        "emulator": ["py.typed", "reports/page/web/*", "explore/web/*"],
        "flasc": ["py.typed"],
    },
    cmdclass={"build_py": BuildWithScenarios},
    install_requires=[
        "click>=8.2",
        "filelock>=3.13",  # two trainings share one asset cache
        "matplotlib>=3.10.8",  # older ones use what pyparsing 3.3 deprecates
        # compiles the network; what it does not support yet has the reference engine alone
        "numba>=0.61,<0.69; python_version < '3.15'",
        "numpy>=1.26",
        "pandas>=2.0",  # reads a user's tables; data frames of results
        "peft>=0.18",
        "pillow>=10",  # pictures from files; matplotlib brings it anyway
        "plotly>=6.0",  # its plotly.min.js draws the page and is inside of each
        "pydantic>=2.13",  # exclude_if in unions: new settings leave old digests be
        "pyyaml>=6.0",
        "rich>=13.7",
        "safetensors>=0.8.0",
        "scipy>=1.11",  # tests of significance in `compare`
        "simpy>=4.1",
        "torch>=2.11",  # 2.13.0 is what the Makefile installs and what CI tests
        "transformers>=5.17,<6",
    ],
    extras_require={
        "data": [
            "datasets>=3",
            "pyarrow>=15",
            "scikit-learn>=1.4",
        ],  # the paper's tasks, from the hub
        # `make docs`. No mkdocs-click, no mkdocstrings: what they make is on the site alone, and
        # what docs/commands.py makes is in the repository as well
        "docs": ["mkdocs>=1.6,<2", "mkdocs-material>=9.5,<10"],
        "dp": ["dp-accounting>=0.6"],  # epsilon of trainings with noise, for training.dp
        "explore": ["starlette>=0.46", "uvicorn>=0.34"],  # the local page of `flasc-emu explore`
        "export": [  # `flasc-emu export tables --to parquet`, `flasc-emu export tensorboard`
            "pyarrow>=15",
            "tensorboard>=2.15",
        ],
        # A range: Flower's API changes, and without one pip takes 1.4.0 in the end
        "flower": ["flwr[simulation]>=1.30,<1.43"],
        "mlflow": [  # `flasc-emu export mlflow`
            "mlflow-skinny>=3.17",  # the client alone, no server; 3.0 fails with sqlalchemy 2.1
            "alembic>=1.11",  # makes and migrates the tables of MLflow's SQLite store
            "sqlalchemy>=2.0",  # MLflow's SQLite store; its store of files is refused since 3.0
        ],
        "wandb": ["wandb>=0.31"],  # `flasc-emu export wandb`: writes W&B's own offline files
        "ray": ["ray>=2.55"],  # `flasc-emu run --engine ray`: trainings on a cluster
        "test": [
            "dp-accounting>=0.6",
            "hypothesis>=6.100",
            "import-linter>=2.0",  # the layers of packages, in pyproject.toml
            "jsonschema>=4.21",  # the schema for editors is held against every scenario
            "mypy>=1.10",
            "pyarrow>=15",
            "pytest>=8.2,<9.2",  # 9.2 makes xdist 3.8 scatter the tests of a group (its issue 1386)
            "pytest-xdist>=3.5",  # a worker a core
            "pytest-timeout>=2.3.1",  # a deadlock in a simulation must fail, not hang
            "ruff>=0.6",
            "starlette>=0.46",  # flasc-emu explore, over HTTP
            "tensorboard>=2.15",
            "types-PyYAML",
            "uvicorn>=0.34",
        ],
    },
    entry_points={"console_scripts": ["flasc-emu = emulator.cli:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
