"""The documentation is executed: examples, messages, tables, links, commands and keys.

The tutorial is followed from its first command to its last; its trainings are not done again but
priced from what they recorded, in tests/data/recordings.
"""

import contextlib
import doctest
import importlib.util
import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import click
import pytest
import yaml
from click.testing import CliRunner
from pydantic import BaseModel

from emulator.cli import main
from emulator.common.distributions import Choice, Empirical, LogNormal, Normal, Uniform
from emulator.common.units import parse_duration
from emulator.network.capacity.base import CapacityModel
from emulator.runner import inputs, run
from emulator.scenario import template
from emulator.scenario.scenario import Scenario
from flasc import codec
from flasc.assets import catalogue
from flasc.models import pretrained as model
from flasc.models.adapter import Adapter
from flasc.models.settings import Lora

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/reference/scenario_keys.md"
TUTORIAL = ROOT / "docs/start/tutorial.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LAWS = (Uniform, Normal, LogNormal, Choice, Empirical)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


# -- reading Markdown


class Block(NamedTuple):
    kind: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    found = re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 1) for m in found]


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """Every flasc-emu command line: in code spans, in blocks and on indented lines."""
    lines = [line for b in blocks(page) if "yaml" not in b.kind for line in b.text.splitlines()]
    lines += [line for line in prose(page).splitlines() if line.startswith("    ")]
    spans = re.findall(r"`([^`\n]+)`", prose(page))
    starts = (
        re.fullmatch(r"\s*(?:\$ )?(?:\S+/)?flasc-emu (.*)", line) for line in [*lines, *spans]
    )
    return [match[1] for match in starts if match]


def file_name(block: Block) -> str:
    """Where the block's first line says that it is to be saved; JSON has no comments."""
    if block.kind.startswith("json "):
        return block.kind.removeprefix("json ")
    match = re.match(r".*# (?:save as )?(\w+/\w+\.(?:yaml|csv))\b", block.text)
    return match[1] if match else f"mine/line_{block.line}.yaml"


YAMLS = [block for page in PAGES for block in blocks(page) if block.kind.startswith("yaml")]
DATA = [
    block for page in PAGES for block in blocks(page) if block.kind.startswith(("csv", "json "))
]
every_yaml = pytest.mark.parametrize("block", [b for b in YAMLS if b.kind == "yaml"], ids=file_name)
CHECKS = [
    (page, match[1], match[2])
    for page in PAGES
    if page != TUTORIAL
    for block in blocks(page)
    if block.kind == "console"
    for match in re.finditer(
        r"^\$ flasc-emu (check .*)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE
    )
]
FAILURES = [
    (block, following)
    for page in PAGES
    for block, following in itertools.zip_longest(blocks(page), blocks(page)[1:])
    if block.kind == "yaml bad"
]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder as the guide's reader has it: scenarios/, and each example where it says."""
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/first.yaml").write_text(template.whole("first", "4g"), "utf-8")
    for block in YAMLS + DATA:
        (tmp_path / file_name(block)).write_text(block.text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def flasc_emu(line: str) -> str:
    return CliRunner().invoke(main, shlex.split(line)).output


# -- examples


@every_yaml
def test_every_example_is_a_study(desk, block):
    assert inputs.read(Path(file_name(block))).trainings()


def test_examples_have_names_of_their_own():
    names = [file_name(block) for block in YAMLS]
    assert len(set(names)) == len(names) > 10


@pytest.mark.parametrize(("block", "shown"), FAILURES, ids=lambda b: getattr(b, "line", ""))
def test_every_mistake_is_answered_as_shown(desk, block, shown):
    assert shown is not None
    assert shown.kind == "text"
    assert flasc_emu(f"check {file_name(block)}") == shown.text


@pytest.mark.parametrize(("page", "line", "shown"), CHECKS, ids=[c[1] for c in CHECKS])
def test_every_check_prints_what_is_shown(desk, page, line, shown):
    assert flasc_emu(line) == shown


def test_there_is_something_to_check():
    assert FAILURES
    assert CHECKS


def test_code_of_the_examples_is_shown_as_it_is():
    shown = [b for page in PAGES for b in blocks(page) if b.kind.startswith("python examples/")]
    assert shown
    for block in shown:
        assert block.text in (ROOT / block.kind.removeprefix("python ")).read_text("utf-8")


# -- the tutorial


def as_shown(text: str) -> str:
    """Without blanks at ends of lines; who trains has the rounds under 'trained', we 'reused'."""
    text = re.sub(" +$", "", text, flags=re.MULTILINE)
    return re.sub(
        r"(\d+) rounds trained, (\d+) reused", lambda m: f"{int(m[1]) + int(m[2])} rounds", text
    )


def test_the_tutorial_goes_as_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FLASC_EMU_CACHE", str(tmp_path / "no data, no weights"))
    monkeypatch.setattr(run, "default_workers", lambda: 1)
    for block in blocks(TUTORIAL):
        if block.kind == "yaml":
            Path(file_name(block)).write_text(block.text, "utf-8")
        if block.kind == "console":
            line, _, shown = block.text.removeprefix("$ flasc-emu ").partition("\n")
            if line == "run mine/first.yaml":
                shutil.copytree(ROOT / "tests/data/recordings", "runs/recordings")
            printed = CliRunner().invoke(main, shlex.split(line)).stdout
            assert as_shown(printed) == as_shown(shown), line


def test_the_five_commands_of_the_readme_end_with_a_page(desk, monkeypatch):
    monkeypatch.setattr(run, "default_workers", lambda: 1)
    shutil.copytree(ROOT / "tests/data/recordings", "runs/recordings")
    found = next(block for block in blocks(PAGES[0]) if block.kind == "sh").text
    install, *lines, look = found.splitlines()
    assert install == "pip install -e ."
    assert len(lines) == 3
    for line in lines:
        result = CliRunner().invoke(main, shlex.split(line)[1:])
        assert result.exit_code == 0, result.output
    assert Path(look.split()[-1]).read_text("utf-8").startswith("<!DOCTYPE html>")


# -- the reference


class Key(NamedTuple):
    default: Any
    names: frozenset[str]  # what a Literal allows


def names_in(annotation: Any) -> frozenset[str]:
    origin: Any = get_origin(annotation)
    if origin is Literal:
        return frozenset(map(str, get_args(annotation)))
    if origin in (Annotated, Union, UnionType):
        return frozenset().union(*map(names_in, get_args(annotation)[: 1 if origin is Annotated
                                                                     else None]))  # fmt: skip
    return frozenset()


def default_of(field: Any) -> Any:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "as below"
    return "none" if value in (None, {}) else value


def keys_of(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, Key]]:
    for name, field in model.model_fields.items():
        here = f"{path}.{name}".removeprefix(".")
        yield here, Key(default_of(field), names_in(field.annotation))
        yield from keys_inside(field.annotation, here)


def keys_inside(annotation: Any, here: str) -> Iterator[tuple[str, Key]]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from keys_inside(get_args(annotation)[0], here)
    elif origin is dict:
        yield from keys_inside(get_args(annotation)[1], f"{here}.NAME")
    elif origin is list:
        yield from keys_inside(get_args(annotation)[0], f"{here}[]")
    elif origin in (Union, UnionType):
        yield from keys_of_union(get_args(annotation), here)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from keys_of(annotation, here)


def keys_of_union(members: tuple[Any, ...], here: str) -> Iterator[tuple[str, Key]]:
    """A key that all kinds have alike is listed once; others as `key of kind`."""
    plain = [get_args(m)[0] if get_origin(m) is Annotated else m for m in members]
    models = [m for m in plain if isinstance(m, type) and issubclass(m, BaseModel)]
    if len(models) <= 1:
        for member in plain:
            yield from keys_inside(member, here) if member is not NoneType else ()
        return
    if issubclass(models[0], LAWS) and issubclass(models[-1], CapacityModel):
        yield from keys_of_union(tuple(m for m in models if issubclass(m, LAWS)), here)
        yield from keys_of_union(tuple(m for m in models if issubclass(m, CapacityModel)), here)
        return
    place = "LAW" if issubclass(models[0], LAWS) else here
    place = "RATE" if issubclass(models[0], CapacityModel) else place
    tag = "kind" if "kind" in models[0].model_fields else "name"
    by_kind = {next(iter(names_in(m.model_fields[tag].annotation))): m for m in models}
    found = {kind: dict(keys_of(model, place)) for kind, model in by_kind.items()}
    kinds = [keys.pop(f"{place}.{tag}") for keys in found.values()]
    default = next((k.default for k in kinds if k.default != "required"), "required")
    yield f"{place}.{tag}", Key(default, frozenset(by_kind))
    for kind, keys in found.items():
        for name, key in keys.items():
            alike = all(other.get(name) == key for other in found.values())
            yield (
                name
                if alike or (place == here and name.startswith("LAW."))
                else f"{name} of {kind}",
                key,
            )


@cache
def schema() -> dict[str, Key]:
    return dict(keys_of(Scenario))


def reference() -> dict[str, tuple[str, str, str]]:
    """{key: (type, default, meaning)} as the guide's reference has them."""
    text = GUIDE.read_text("utf-8").partition("\n## Reference\n")[2]
    rows: dict[str, tuple[str, str, str]] = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            first, kind, default, meaning = (
                cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))
            )
            key, _, of = first.partition(" of ")
            for one in of.split(", "):
                name = " of ".join(filter(None, (key, one))).replace("`", "")
                assert name not in rows, f"{name} is listed twice"
                rows[name] = kind, default, meaning
    return rows


def test_the_reference_names_every_key_and_no_other():
    assert sorted(reference()) == sorted(schema())


def value_of(said: str) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(said)
    return parse_duration(said)


@pytest.mark.parametrize("name", schema())
def test_the_reference_gives_the_codes_defaults_and_choices(name):
    kind, default, meaning = reference()[name]
    key = schema()[name]
    assert kind
    assert meaning
    said = default.strip("`")
    assert said == key.default or value_of(said) == key.default
    assert set(re.findall("`([^`]+)`", kind)) == key.names


def test_keys_that_pages_mention_exist():
    known = {re.sub(" of .*", "", name) for name in schema()}
    for page in PAGES:
        for named in re.findall(
            r"`((?:task|training|network|compute|policy|methods)\.[\w.]+)`", prose(page)
        ):
            key = re.sub(r"^(methods|network\.groups)\.\w+", r"\1.NAME", named)
            assert key in known, f"{page.name}: {named}"


def test_every_method_is_explained():
    text = (ROOT / "docs/background/methods.md").read_text("utf-8")
    for kind in schema()["methods.NAME.kind"].names:
        assert f"`{kind}`" in text


def test_the_commands_page_is_what_the_commands_say():
    made = subprocess.run(
        [sys.executable, ROOT / "docs/commands.py"], cwd=ROOT, capture_output=True, check=True
    )
    page = (ROOT / "docs/reference/commands.md").read_text("utf-8")
    assert made.stdout.decode() == page, "python docs/commands.py > docs/reference/commands.md"


# -- the site


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
    base = model.sequence_classifier(catalogue.locate("minilm"), 20, 0)
    n = Adapter(base, Lora(rank=rank), scope).n
    cost = codec.size(None, n, wire="dense", dtype="fp32")
    line = f"| {row} | {n:,} | {cost:,} | {cost:,} |"
    assert line in (ROOT / "docs/background/methods.md").read_text("utf-8")


def test_the_transport_table_is_what_the_script_prints():
    spec = importlib.util.spec_from_file_location("transport", ROOT / "bench/transport.py")
    assert spec is not None
    assert spec.loader is not None
    transport = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(transport)
    measured = json.loads((ROOT / "tests/data/tcp_measured_sample.json").read_text("utf-8"))
    assert transport.table(measured) in (ROOT / "docs/background/accuracy.md").read_text("utf-8")


# -- every page


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
