from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from hypothesis import given, strategies as st
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from emulator.common.errors import ScenarioError
from emulator.common.units import parse_rate
from emulator.scenario.document import Document, load
from emulator.scenario.validation_errors import MAX_PROBLEMS, to_scenario_error
from emulator.scenario.yaml_nodes import Node


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def share(value: object) -> float:
    if isinstance(value, int | float):
        return value
    raise ValueError(f"found {value!r}; allowed: a fraction, like 0.0625")


Rate = Annotated[float, BeforeValidator(parse_rate)]
Share = Annotated[float, BeforeValidator(share)]
Q = TypeVar("Q")


class Uniform(Settings, Generic[Q]):
    kind: Literal["uniform"]
    low: Q
    high: Q


class Choice(Settings, Generic[Q]):
    kind: Literal["choice"]
    values: list[Q]


def law(value: Any) -> str:
    return str(value.get("kind", "none")) if isinstance(value, dict) else "constant"


RateLaw = Annotated[
    Annotated[Rate, Tag("constant")]
    | Annotated[Uniform[Rate], Tag("uniform")]
    | Annotated[Choice[Rate], Tag("choice")],
    Discriminator(law),
]


class Lora(Settings):
    kind: Literal["lora"]


class Flasc(Settings):
    kind: Literal["flasc"]
    down: Share
    flasc: int = 0  # named like its own tag, on purpose


Method = Annotated[Lora | Flasc, Field(discriminator="kind")]


class Link(Settings):
    up: Rate
    down: Rate | None = None


class Training(Settings):
    rounds: Annotated[int, Field(gt=0, le=100)]
    cohort: int = 10
    rate: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.5
    test: bool = False
    wire: Literal["auto", "dense", "bitmask"] | None = "auto"
    size: Literal[1, 2] = 1
    seeds: Annotated[list[int], Field(min_length=1, max_length=3)] = [0]
    from_: int = Field(default=0, alias="from")
    pair: tuple[int, Link] | None = None
    mixed: list[int] | Literal["all"] | bool = "all"
    either: Link | list[Link] | None = None

    @model_validator(mode="after")
    def _ten(self) -> "Training":
        if self.cohort == 13:
            raise ValueError("found cohort 13\nwith luck; allowed: any other")
        return self


class Scenario(Settings):
    name: Annotated[str, Field(pattern="^[a-z]+$", max_length=5)] = "x"
    training: Training
    methods: dict[Annotated[str, Field(min_length=1)], Method] = {}
    server: Lora | Flasc | None = Field(default=None, discriminator="kind")
    links: list[Link] = []
    law: RateLaw = 1.0


GOOD = "training: {rounds: 1}\n"


def complain(text, *overrides, model=Scenario):
    Path("x.yaml").write_text(text, "utf-8")
    document = load(Path("x.yaml"), overrides)
    with pytest.raises(ValidationError) as caught:
        model.model_validate(document.data)
    error = to_scenario_error(caught.value, document, model)
    assert isinstance(error, ScenarioError)
    assert ("the value of --set" if overrides else "flasc-emu check") in error.hint
    return error.message


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


TRAINING_KEYS = "rounds, cohort, rate, test, wire, size, seeds, from, pair, mixed, either"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "training:\n  rounds: 1\n  cohrt: 5\n",
            "x.yaml:3: training.cohrt: unknown key; did you mean 'cohort'? "
            f"allowed: {TRAINING_KEYS}",
        ),
        (
            "training:\n  rounds: 1\n  zzz: 5\n",
            f"x.yaml:3: training.zzz: unknown key; allowed: {TRAINING_KEYS}",
        ),
        (
            "Nmae: x\n" + GOOD,
            "x.yaml:1: Nmae: unknown key; did you mean 'name'? "
            "allowed: name, training, methods, server, links, law",
        ),
        ("name: x\n", "x.yaml:1: training: missing key"),
        ("name: x\ntraining:\n  cohort: 1\n", "x.yaml:2: training.rounds: missing key"),
        (
            "name: x\ntraining:\n",
            "x.yaml:2: training: found null (null deletes inherited keys, and this key is not "
            "inherited); allowed: a mapping with rounds, cohort, rate, test, wire, size, "
            "seeds, from, pair, mixed, either",
        ),
        (
            "training: [1]\n",
            "x.yaml:1: training: found [1]; "
            "allowed: a mapping with rounds, cohort, rate, test, wire, size, seeds, from, pair, "
            "mixed, either",
        ),
        ("name: 5\n" + GOOD, "x.yaml:1: name: found 5; allowed: text"),
        ("name: X\n" + GOOD, "x.yaml:1: name: found 'X'; allowed: text that matches ^[a-z]+$"),
        (
            "name: abcdef\n" + GOOD,
            "x.yaml:1: name: found 'abcdef'; allowed: text of at most 5 characters",
        ),
        (
            GOOD + "links:\n  - up: 1 Mbps\n  - up: 20\n",
            "x.yaml:4: links.1.up: found 20; allowed: a rate with its unit, like 20 Mbps or "
            "1.25 MB/s",
        ),
        (
            GOOD + "links:\n  - up: 1 Mbps\n    dwon: 20\n",
            "x.yaml:4: links.0.dwon: unknown key; did you mean 'down'? allowed: up, down",
        ),
        (GOOD + "links:\n  - {}\n", "x.yaml:3: links.0.up: missing key"),
        (GOOD + "links: {}\n", "x.yaml:2: links: found {}; allowed: a list"),
        (
            GOOD + "methods:\n  FLASC 1/4:\n    kind: flasc\n    down: lots\n",
            "x.yaml:5: methods.\"FLASC 1/4\".down: found 'lots'; allowed: a fraction, like 0.0625",
        ),
        (GOOD + "methods:\n  a.b:\n    kind: flasc\n", 'x.yaml:3: methods."a.b".down: missing key'),
        (
            GOOD + "methods:\n  F:\n    kind: flasc\n    flasc: 1\n    dwn: 1\n    down: 1\n",
            "x.yaml:6: methods.F.dwn: unknown key; did you mean 'down'? allowed: kind, down, flasc",
        ),
        (
            GOOD + "methods:\n  F:\n    kind: flasc\n    flasc: x\n    down: 1\n",
            "x.yaml:5: methods.F.flasc: found 'x'; allowed: a whole number",
        ),
        (
            GOOD + "methods:\n  F:\n    kind: flsc\n",
            "x.yaml:4: methods.F.kind: found 'flsc'; did you mean 'flasc'? allowed: lora, flasc",
        ),
        (
            GOOD + "methods:\n  F:\n    down: 1\n",
            "x.yaml:3: methods.F.kind: missing key; allowed: lora, flasc",
        ),
        (
            GOOD + "methods:\n  F: 5\n",
            "x.yaml:3: methods.F: found 5; allowed: a mapping with kind: lora, flasc",
        ),
        (
            GOOD + "methods:\n  '': {kind: lora}\n",
            "x.yaml:3: methods.\"\": found ''; allowed: text of 1 or more characters",
        ),
        (GOOD + "server: {kind: [1]}\n", "x.yaml:2: server.kind: found [1]; allowed: lora, flasc"),
        (
            GOOD + "server: {kind: lora, down: 1}\n",
            "x.yaml:2: server.down: unknown key; 'down' is a key of server (kind flasc); "
            "allowed: kind",
        ),
        (
            GOOD + "law: 5\n",
            "x.yaml:2: law: found 5; allowed: a rate with its unit, like 20 Mbps or 1.25 MB/s",
        ),
        (
            GOOD + "law:\n  kind: unifrm\n",
            "x.yaml:3: law.kind: found 'unifrm'; did you mean 'uniform'? allowed: uniform, choice",
        ),
        (GOOD + "law:\n  low: 1\n", "x.yaml:2: law.kind: missing key; allowed: uniform, choice"),
        (
            GOOD + "law:\n  kind: choice\n  values: [1 Mbps, 5]\n",
            "x.yaml:4: law.values.1: found 5; allowed: a rate with its unit, like 20 Mbps or "
            "1.25 MB/s",
        ),
        (
            GOOD + "law:\n  kind: uniform\n  low: 1 Mbps\n  high: 2 Mbps\n  hihg: 3\n",
            "x.yaml:6: law.hihg: unknown key; did you mean 'high'? allowed: kind, low, high",
        ),
    ],
)
def test_a_problem_is_told_by_line_key_found_and_allowed(text, message):
    assert complain(text) == message


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("cohort: ten", "cohort: found 'ten'; allowed: a whole number"),
        ("cohort: 1.5", "cohort: found 1.5; allowed: a whole number"),
        ("cohort: null", "cohort: found null; allowed: a whole number"),
        ("rounds: 0", "rounds: found 0; allowed: more than 0"),
        ("rounds: 101", "rounds: found 101; allowed: 100 or less"),
        ("rate: -1", "rate: found -1; allowed: 0 or more"),
        ("rate: 1", "rate: found 1; allowed: less than 1"),
        ("rate: .nan", "rate: found NaN; allowed: a finite number"),
        ("rate: x", "rate: found 'x'; allowed: a number"),
        ("rate: []", "rate: found []; allowed: a number"),
        ("test: maybe", "test: found 'maybe'; allowed: true or false"),
        ("test: []", "test: found []; allowed: true or false"),
        ("wire: dens", "wire: found 'dens'; did you mean 'dense'? allowed: auto, dense, bitmask"),
        ("wire: 5", "wire: found 5; allowed: auto, dense, bitmask"),
        ("size: 3", "size: found 3; allowed: 1, 2"),
        ("seeds: []", "seeds: found []; allowed: 1 or more of them"),
        ("seeds: [1, 2, 3, 4]", "seeds: found [1, 2, 3, 4]; allowed: at most 3 of them"),
        ("seeds: [1, x]", "seeds.1: found 'x'; allowed: a whole number"),
        ("seeds: 5", "seeds: found 5; allowed: a list"),
        ("from: x", "from: found 'x'; allowed: a whole number"),
        ("pair: [1]", "pair.1: missing key"),
        ("pair: [1, {}]", "pair.1.up: missing key"),
        ("pair: [1, {up: 1 bps, x: 1}]", "pair.1.x: unknown key; allowed: up, down"),
        ("pair: 5", "pair: found 5; allowed: a list"),
        ("mixed: 7", "mixed: found 7; allowed: a list or 'all' or true or false"),
        ("cohort: 13", "found cohort 13\\nwith luck; allowed: any other"),
        ("either: {up: 1 bps, dwn: 1}", "either.dwn: unknown key; did you mean 'down'? allowed"),
        ("either: [{up: 1 bps, dwn: 1}]", "either.0.dwn: unknown key; did you mean 'down'? all"),
        ('cohort: "\\e[31m\\n"', r"cohort: found '\x1b[31m\n'; allowed: a whole number"),
        (f"cohort: {'x' * 99}", f"cohort: found '{'x' * 58}…; allowed: a whole number"),
        (f"cohort: [{'1, ' * 99}]", f"cohort: found [{'1, ' * 19}1…; allowed: a whole number"),
        ('"a\\nb": 1', r'"a\nb": unknown key'),
    ],
)
def test_pydantic_errors_are_told_in_our_words(entry, message):
    rounds = "" if entry.startswith("rounds") else "  rounds: 1\n"
    lines = complain(f"training:\n{rounds}  {entry}\n").split("\n")
    line = 3 if rounds else 2
    if "luck" in message:
        assert lines == [f"x.yaml:1: training: {message}"]
    else:
        assert any(told.startswith(f"x.yaml:{line}: training.{message}") for told in lines)


def test_what_pydantic_may_add_later_is_still_told():
    class Odd(Settings):
        path: Path

    assert complain("path: 5", model=Odd).startswith("x.yaml:1: path: found 5; allowed: ")


def test_problems_are_sorted_by_file_and_line_and_cut_after_ten():
    Path("a.yaml").write_text("links:\n- up: 5\n", "utf-8")
    extras = "".join(f"k{n}: 1\n" for n in range(12))
    lines = complain(f"extends: a.yaml\n{extras}{GOOD}").split("\n")
    assert lines[0].startswith("a.yaml:2: links.0.up: found 5")
    assert [line.split(":")[1] for line in lines[1:MAX_PROBLEMS]] == [
        str(number) for number in range(2, MAX_PROBLEMS + 1)
    ]
    assert lines[MAX_PROBLEMS:] == ["… and 3 more problems"]


def test_exactly_ten_problems_are_all_told():
    lines = complain(GOOD + "".join(f"k{n}: 1\n" for n in range(10))).split("\n")
    assert len(lines) == 10
    assert not lines[-1].startswith("…")


def test_an_override_is_blamed_by_its_text():
    assert complain(GOOD, "training.rounds=x") == (
        "--set training.rounds=x: training.rounds: found 'x'; allowed: a whole number"
    )
    assert complain(GOOD, "trainig.rounds=1").startswith(
        "--set trainig.rounds=1: trainig: unknown key; did you mean 'training'?"
    )


KEYS = st.sampled_from(
    [
        *["training", "rounds", "cohort", "pair", "mixed", "either", "seeds", "methods", "kind"],
        *["lora", "flasc", "down", "up", "low", "law", "links", "server", "values", "0", "Link"],
    ]
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | KEYS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(KEYS, inside, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, TREES, max_size=5))
def test_every_refusal_is_told_line_by_line(data):
    document = Document(data, Node(None, "x.yaml:1"))
    try:
        Scenario.model_validate(data)
    except ValidationError as error:
        told = to_scenario_error(error, document, Scenario).message.split("\n")
    else:
        return
    assert 1 <= len(told) <= MAX_PROBLEMS + 1
    for line in told:
        assert line.startswith(("x.yaml:1: ", "…"))
        assert line.startswith("…") or "found" in line or " key" in line
