"""The reference pages are what the code says: keys, defaults, choices, methods, commands."""

import re
import runpy
import subprocess
import sys
from functools import cache
from importlib.metadata import version

import pytest

from .markdown import PAGES, ROOT, prose


@cache
def keys():
    """{key: row of the page}, as docs/scenario_keys.py makes them."""
    return runpy.run_path(str(ROOT / "docs/scenario_keys.py"))["keys"]()


@pytest.mark.parametrize("name", ["scenario_keys", "commands"])
def test_a_page_is_what_its_script_makes(name):
    if name == "commands" and tuple(map(int, version("click").split(".")[:2])) >= (8, 5):
        pytest.skip("click 8.5 words its help anew")
    made = subprocess.run(
        [sys.executable, ROOT / f"docs/{name}.py"], cwd=ROOT, capture_output=True, check=True
    )
    page = (ROOT / f"docs/reference/{name}.md").read_text("utf-8")
    assert made.stdout.decode() == page, f"python docs/{name}.py > docs/reference/{name}.md"


def test_every_key_has_a_type_a_default_and_a_meaning():
    for name, key in keys().items():
        assert all((key.form, key.default, key.meaning)), name
        assert not re.search(r"\b(Annotated|None|_\w+|\w+__\w+)\b", key.form), (name, key.form)


@pytest.mark.parametrize(
    ("name", "form", "default"),
    [
        ("training.cohort", "whole number, 1 or more", "`10`"),
        ("training.seeds", "list of whole numbers, 0 or more, at least one, or a range like 0-2",
         "`[0]`"),
        ("training.target", "section, or its accuracy alone", "none"),
        ("training.wire", "section, or the name of its values or format alone", "as below"),
        ("training.client.momentum", "number, 0 to below 1", "`0.9`"),
        ("methods.NAME.up of flasc", "fraction above 0 to 1", "required"),
        ("methods.NAME.error_feedback", "true or false", "`false`"),
        ("network.clients.rtt", "distribution of a duration, or `table`", "`0`"),
        ("network.clients.up",
         "distribution of a rate, or `devices`, or `table`, or a rate over time, or a ratio",
             "required"),
        ("network.clients.devices.step", "duration above 0", "`60 s`"),
        ("selection", "section, or the name of a kind alone", "as below"),
        ("compute.per_example", "distribution of a duration, or `devices`, or a table", "none"),
        ("DISTRIBUTION.values of empirical", "list, each as the key", "required"),
    ],
)  # fmt: skip
def test_types_and_defaults_are_in_words(name, form, default):
    assert keys()[name][:2] == (form, default)


def test_keys_that_pages_mention_exist():
    known = {re.sub(" of .*", "", name) for name in keys()}
    for page in PAGES:
        for named in re.findall(
            r"`((?:task|training|network|compute|policy|methods)\.[\w.]+)`", prose(page)
        ):
            key = re.sub(r"^(methods|network\.groups)\.\w+", r"\1.NAME", named)
            assert key in known, f"{page.name}: {named}"


def test_every_method_is_explained():
    text = (ROOT / "docs/background/methods.md").read_text("utf-8")
    for kind in keys()["methods.NAME.kind"].names:
        assert f"`{kind}`" in text
