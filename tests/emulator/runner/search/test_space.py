"""What a search may choose from, and the configurations as methods of a scenario."""

from pathlib import Path

import pytest

from emulator.common.errors import ScenarioError
from emulator.runner import inputs
from emulator.runner.search import Axes, read_space
from emulator.runner.search.lattice import Point

ROOT = Path(__file__).parents[4]
FIGURE3 = ROOT / "recordings/figure3.json.gz"
FLASC = "FLASC"
SETS = {"down": (1.0, 0.25), "up": (0.25, 0.0625)}


def space(path, *changes, method=FLASC, variant="slow", **axes):
    return read_space(inputs.read(path, changes), method, variant, Axes(**axes))


def test_by_default_it_is_around_the_start_at_its_rank(scenario):
    found = space(scenario())
    assert found.start == Point(16, 0.25, 0.25)
    assert {p.rank for p in found.names} == {16}
    assert {p.down for p in found.names} == {p.up for p in found.names} == {1, 0.25, 0.0625}
    assert (len(found.names), found.half) == (9, 4)
    assert found.names[found.start] == FLASC
    assert found.names[Point(16, 1, 0.0625)] == "FLASC 1 down, 1/16 up"


def test_it_is_under_one_variant_which_keeps_its_label(scenario):
    found = space(scenario())
    assert list(found.study.variants) == ["slow"]
    assert found.scenario.network == inputs.read(scenario()).variants["slow"].network


def test_a_configuration_differs_from_the_start_in_its_point_alone(scenario):
    own = "methods.FLASC={kind: flasc, down: 1/4, up: 1/4, server_lr: 0.03, wire: {values: int8}}"
    found = space(scenario(), own, rank=(4, 16), **SETS)
    for point in found.names:
        (job,) = found.study_of([point]).trainings()
        start = found.study_of([found.start]).trainings()[0].settings
        own = {"down": point.down, "up": point.up}
        assert job.settings == start.model_copy(
            update={
                "lora": start.lora.model_copy(update={"rank": point.rank}),
                "method": start.method.model_copy(update=own),
            }
        )


def test_a_start_with_its_own_rank_can_go_to_the_usual_one(scenario):
    own = "methods.FLASC={kind: flasc, down: 1/4, up: 1/4, rank: 4}"
    found = space(scenario(), own, rank=(4, 16))
    assert found.start.rank == 4
    (job,) = found.study_of([found.start._replace(rank=16)]).trainings()
    assert job.settings.lora.rank == 16


def test_methods_that_differ_in_the_point_alone_keep_their_names_and_others_do_not(scenario):
    more = (
        "methods.mine={kind: flasc, down: 1, up: 1/4}",
        'methods."FLASC 1/4 down, 1/16 up"={kind: flasc, down: 1/4, up: 1/16, server_lr: 7.0}',
    )
    found = space(scenario(), *more, **SETS)
    assert found.names[Point(16, 1, 0.25)] == "mine"
    assert found.names[Point(16, 0.25, 0.0625)] == "FLASC 1/4 down, 1/16 up, searched"
    assert found.method(Point(16, 0.25, 0.0625)) == {"kind": "flasc", "down": "1/4", "up": "1/16"}


def test_a_packed_recording_has_its_own_configurations_alone():
    first = "FLASC 1/4 down, 1/4 up"
    found = space(FIGURE3, method=first, variant="as fast")
    assert set(found.names) == {Point(16, 0.25, up) for up in (0.25, 0.0625, 0.015625)}
    assert found.half == 3
    assert found.dense() == "LoRA"
    fewer = space(FIGURE3, method=first, variant="as fast", up=(0.25, 0.0625))
    assert set(fewer.names) == {Point(16, 0.25, up) for up in (0.25, 0.0625)}


def test_a_packed_recording_without_the_given_values_has_no_start():
    with pytest.raises(ScenarioError, match=r"allowed: one of the 0 configurations of .*--up$"):
        space(FIGURE3, method="FLASC 1/4 down, 1/4 up", variant="as fast", down=(0.125,))


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"down": (0.25, 0.0)}, "down: found 0; allowed: above 0 and at most 1"),
        ({"up": (2.0,)}, "up: found 2; allowed: above 0 and at most 1"),
        ({"up": (float("nan"),)}, "up: found nan"),
        ({"rank": (16, 0)}, "rank: found 0; allowed: at least 1"),
    ],
)
def test_values_that_no_method_can_have_are_refused(scenario, axes, message):
    with pytest.raises(ScenarioError, match=message):
        space(scenario(), **axes)


def test_the_dense_lora_is_the_one_of_the_starts_rank(scenario):
    path = scenario()
    assert space(path).dense() == "LoRA"
    assert space(path, "methods.LoRA=null").dense() is None
    own = ("methods.r4={kind: lora, rank: 4}", "methods.FLASC.rank=4")
    assert space(path, *own).dense() == "r4"


@pytest.mark.parametrize(
    ("changes", "keys", "message", "hint"),
    [
        ([], {"variant": None}, r":\d+: found 2 variants; allowed: one", "NAME of fast, slow"),
        ([], {"variant": "slwo"}, "no variant 'slwo'; did you mean 'slow'?", ""),
        ([], {"method": "LoRA"}, "methods: found no 'LoRA' of kind flasc; allowed: FLASC", ""),
        (["methods.FLASC=null"], {"method": None}, "found none of kind flasc", "add one: FLASC"),
        (
            ["methods.two={kind: flasc, down: 1, up: 1}"],
            {"method": None},
            "methods: found 2 of kind flasc; allowed: one to start from",
            "NAME of FLASC; two",
        ),
        (["training.target=null"], {}, "training.target: missing key", "training.target=50%"),
        (
            [],
            {"down": (1.0, 0.125)},
            r":\d+: methods.FLASC: the search starts at rank 16, 1/4 down, 1/4 up; allowed: one of "
            "the 6 configurations of --rank, --down and --up; the nearest is rank 16, 1/8 down",
            "start from another --method",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(scenario, changes, keys, message, hint):
    with pytest.raises(ScenarioError, match=message) as error:
        space(scenario(), *changes, **keys)
    assert hint in error.value.hint
