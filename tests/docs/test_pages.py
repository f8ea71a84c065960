"""Every page: links lead somewhere, commands exist, no local paths; figures and sums are right."""

import doctest
import importlib.util
import json
import re
import shlex
from pathlib import Path

import click
import pytest

from emulator.cli import main
from flasc import codec
from flasc.assets import catalogue
from flasc.models import pretrained as model
from flasc.models.adapter import Adapter
from flasc.models.settings import Lora

from .markdown import PAGES, ROOT, commands, prose

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@every_page
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@every_page
def test_commands_exist(page):
    for line in commands(page):
        words = shlex.split(line)
        command: click.Command = main
        while isinstance(command, click.Group) and words and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert command is not main or words[0].startswith("-"), line
        known = {"-h", "--help", *(o for p in command.params for o in p.opts)}
        options = {word.partition("=")[0] for word in words if word.startswith("-")}
        assert options <= known, line


@every_page
def test_no_page_knows_a_machines_paths(page):
    paths = r"(?<![\w.~])/(?:home|root|tmp|work|usr|var|opt|mnt|Users)\b|[A-Z]:\\"
    assert not re.search(paths, page.read_text("utf-8"))


# -- figures


@pytest.mark.parametrize(
    "page",
    ["background/network_model.md", "background/accuracy.md", "howto/differential_privacy.md"],
)
def test_the_sums_on_the_pages_come_out(page):
    results = doctest.testfile(str(ROOT / "docs" / page), module_relative=False)
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.real
@pytest.mark.parametrize(
    ("row", "scope", "rank"),
    [
        ("`full`", "all", 16),
        ("`lora`", "adapter", 16),
        ("`lora`, rank 4", "adapter", 4),
        ("`ffa_lora`", "adapter_b", 16),
        ("`head`", "head", 16),
    ],
)
def test_the_sizes_on_the_methods_page_are_the_models(row, scope, rank):
    base = model.pretrained(catalogue.locate("minilm"), "text", 20, 0)
    n = Adapter(base, Lora(rank=rank), scope).n
    cost = codec.size(None, n, wire="dense", dtype="fp32")
    line = f"| {row} | {n:,} | {cost:,} | {cost:,} |"
    assert line in (ROOT / "docs/background/methods.md").read_text("utf-8")


def loaded_bench(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"bench/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    return bench


def test_the_transport_table_is_what_the_script_prints():
    measured = json.loads((ROOT / "tests/data/tcp_measured_sample.json").read_text("utf-8"))
    table = loaded_bench("transport").table(measured)
    assert table in (ROOT / "docs/background/accuracy.md").read_text("utf-8")


def test_the_table_of_programs_is_what_the_script_prints():
    bench = loaded_bench("applications")
    measured = json.loads((ROOT / "tests/data/tcp_measured_applications.json").read_text("utf-8"))
    rows = list(bench.rows(measured["cases"]))
    page = (ROOT / "docs/background/accuracy.md").read_text("utf-8")
    assert bench.summary(rows) in page
    outliers = [row for row in rows if abs(row.error) > 0.12]
    assert len(outliers) == 6
    assert all("100 kB" in row.name and "80 ms" in row.name for row in outliers)
    assert bench.table(rows).count("\n") == len(rows) + 1
