"""Whom a model serves: by hand, by its laws, and through an emulation."""

import pytest
from hypothesis import assume, given, strategies as st

from emulator.results.participation import by_group, participation
from emulator.simulation.records import (
    Client,
    Evaluation,
    Holding,
    LabelScore,
    Round,
    SharedLink,
    Transfer,
)

from ..simulation.some_rows import histories
from . import row_by_row


def client(number, group="a", examples=10):
    return Client(number, group, 100.0, 10.0, 0.0, 0.0, 0.0, -1, examples)


# Client 0 is heard and holds label 0; 1 holds both, 2 the second and a third that is not scored.
STORY = [
    Transfer(1, 0, "down", 100, 0.0, 1.0),
    Transfer(1, 0, "up", 10, 1.0, 2.0),
    Transfer(1, 1, "up", 10, 1.0, 2.0, "late"),
    Round(1, 2, 0.0, 2.0, 1),
    Evaluation(1, 2.0, "validation", 20, 0.5, 1.0),
    LabelScore(1, "validation", 0, 9, 10),
    LabelScore(1, "validation", 1, 1, 10),
    LabelScore(1, "test", 0, 0, 10),
    SharedLink("server", 0, 1e9, 1e9),
    client(0), client(1), client(2, "b"),
    Holding(0, 0, 10), Holding(1, 0, 5), Holding(1, 1, 5), Holding(2, 1, 8), Holding(2, 7, 2),
]  # fmt: skip


def test_accuracy_of_the_heard_and_of_the_others_by_hand():
    found = participation(STORY)
    assert (found.unheard_clients, found.unheard_examples) == (2 / 3, 2 / 3)
    assert found.heard_accuracy == 0.9
    assert found.unheard_accuracy == pytest.approx((5 * 0.9 + 13 * 0.1) / 18)
    a, b = by_group(STORY)
    assert (a.heard_accuracy, a.unheard_accuracy) == (0.9, 0.5)
    assert (b.heard_accuracy, b.unheard_accuracy) == (None, 0.1)
    assert (a.examples, b.examples) == (20, 10)


@pytest.mark.parametrize("kind", [Holding, LabelScore, Client])
def test_what_was_not_recorded_is_not_known(kind):
    found = participation([row for row in STORY if not isinstance(row, kind)])
    assert (found.heard_accuracy, found.unheard_accuracy) == (None, None)


def test_only_the_last_evaluation_counts():
    later = Evaluation(2, 3.0, "validation", 20, 0.6, 1.0)
    assert participation([*STORY, later]).heard_accuracy is None
    assert (
        participation([*STORY, later, LabelScore(2, "validation", 0, 4, 10)]).heard_accuracy == 0.4
    )


@given(
    held=st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=1, max_size=6),
    right=st.lists(st.integers(0, 10), min_size=3, max_size=3),
    heard=st.sets(st.integers(0, 5)),
)
def test_the_two_make_up_the_whole_and_lie_between_the_labels(held, right, heard):
    assume(any(map(sum, held)))
    rows = [
        SharedLink("server", 0, 1.0, 1.0),
        *(client(i, examples=sum(n)) for i, n in enumerate(held)),
        *(Transfer(1, i, "up", 1, 0.0, 1.0) for i in heard if i < len(held)),
        *(Holding(i, y, n) for i, labels in enumerate(held) for y, n in enumerate(labels) if n),
        Evaluation(1, 1.0, "validation", 30, sum(right) / 30, 1.0),
        *(LabelScore(1, "validation", y, n, 10) for y, n in enumerate(right)),
    ]
    found = participation(rows)
    whole = sum(n * right[y] / 10 for labels in held for y, n in enumerate(labels))
    whole /= sum(map(sum, held))
    share = found.unheard_examples
    mixed = (1 - share) * (found.heard_accuracy or 0) + share * (found.unheard_accuracy or 0)
    assert mixed == pytest.approx(whole)
    for accuracy in (found.heard_accuracy, found.unheard_accuracy):
        assert accuracy is None or min(right) / 10 - 1e-9 <= accuracy <= max(right) / 10 + 1e-9
    assert by_group(rows)[0].heard_accuracy == found.heard_accuracy


def test_rows_of_no_fleet_have_no_groups():
    assert by_group([row for row in STORY if not isinstance(row, Client)]) == []
    assert by_group([row._replace(round=0) for row in STORY if isinstance(row, Client)])


@given(histories().flatmap(st.permutations))
def test_both_are_those_of_the_definition(rows):
    assert participation(rows) == row_by_row.participation(rows)
    assert by_group(rows) == row_by_row.by_group(rows)
