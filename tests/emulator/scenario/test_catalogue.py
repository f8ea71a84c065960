"""The names that a scenario can use."""

import re

from click.testing import CliRunner

from emulator.cli import main
from emulator.scenario.catalogue import catalogue
from emulator.simulation.clients.presets import PRESETS


def test_every_family_has_names_and_laws_and_presets_say_what_they_are():
    found = catalogue()
    assert all(found.values())
    assert [name for name, _ in found["laws"]] == [
        "uniform", "normal", "lognormal", "choice", "empirical",
    ]  # fmt: skip
    assert [name for name, _ in found["presets"]] == list(PRESETS)
    assert all(about for family in ("laws", "presets") for _, about in found[family])


def test_methods_say_where_they_come_from():
    plain = {"full", "head"}  # not from a particular paper
    for name, about in catalogue()["methods"]:
        assert name in plain or re.search(r"\((arXiv \d{4}\.\d{5}|.* \d{4})\)\.$", about), name


def test_laws_and_presets_are_listed():
    for what, line in (
        ("laws", "  lognormal            Log-normal"),
        ("presets", "  4g  "),
        ("applications", "(flwr 1.42.0; https://pypi.org/project/flwr/1.42.0/)"),
    ):
        output = CliRunner().invoke(main, ["list", what]).output
        assert output.startswith(f"{what}:\n")
        assert line in output
