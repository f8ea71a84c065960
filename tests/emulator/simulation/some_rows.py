"""Rows for property tests: of any values, and as of a simulation."""

from typing import get_args

from hypothesis import strategies as st

from emulator.simulation.records import (
    OUTCOMES,
    Absence,
    Client,
    Computation,
    Evaluation,
    Holding,
    LabelScore,
    PathRate,
    Round,
    Row,
    SharedLink,
    Transfer,
)

NUMBERS = st.one_of(st.integers(-2, 4), st.integers(-(2**63), 2**63 - 1))
REALS = st.one_of(st.sampled_from([0.0, 1.0, 2.5, -1.0]), st.floats(allow_nan=False))
TEXTS = {
    "direction": st.sampled_from(["down", "up", "wifi"]),
    "outcome": st.sampled_from([*OUTCOMES, "eaten"]),
    "kind": st.sampled_from(["server", "cell", "gone"]),
}


def _rows(record: type[Row]) -> st.SearchStrategy[Row]:
    kinds = {int: NUMBERS, float: REALS}
    fields = (
        kinds.get(kind, TEXTS.get(name, st.text(max_size=3)))
        for name, kind in record.__annotations__.items()
    )
    return st.builds(record, *fields)


ANY_ROWS = st.lists(st.one_of(*map(_rows, get_args(Row))), max_size=25)


# Durations and rates are powers of two, and starts are quarters: all sums are exact.
LASTING = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 4.0])
RATES = st.sampled_from([8.0, 16.0, 64.0])
FEW = st.integers(0, 3)


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """Rows as of a simulation of up to five rounds, with overlapping and interrupted tasks."""
    rows: list[Row] = []
    count, cells = draw(st.integers(1, 6)), draw(st.integers(0, 2))
    now_s = 0.0
    for number in range(1, draw(st.integers(0, 5)) + 1):
        clients = draw(st.lists(st.integers(0, count - 1), unique=True, max_size=count))
        arrivals_s = [now_s]
        for client in clients:
            outcome, age = draw(st.sampled_from(OUTCOMES)), draw(FEW)
            at_s = now_s + draw(LASTING)
            for step in draw(st.sampled_from(["dcu", "dcu", "dc", "d", "dacu", "dcuau"])):
                span = at_s, at_s + draw(LASTING)
                at_s, end = span[1], (*span, outcome, age)
                if step in "du":
                    way = "down" if step == "d" else "up"
                    rows.append(Transfer(number, client, way, draw(st.integers(0, 64)), *end))
                elif step == "c":
                    rows.append(Computation(number, client, draw(FEW), 1, *end))
                else:
                    rows.append(Absence(number, client, *end))
                if cells and draw(st.booleans()) and step in "du" and span[0] < span[1]:
                    rates = draw(RATES), draw(RATES), draw(st.sampled_from([0.0, 16.0]))
                    rows.append(PathRate(number, client, way, span[0], *rates))
            arrivals_s.append(at_s)
        end_s = draw(st.sampled_from(arrivals_s)) + draw(st.sampled_from([0.0, 0.0, 1.0]))
        rows.append(Round(number, draw(FEW), now_s, end_s, draw(FEW)))
        now_s = end_s
        if draw(st.booleans()):
            score = draw(st.integers(0, 8)) / 8, draw(st.integers(0, 8)) / 8
            split = draw(st.sampled_from(["validation", "validation", "test"]))
            rows.append(Evaluation(number, now_s, split, 8, *score))
            rows += [
                LabelScore(number, split, y, draw(FEW), 3 * draw(FEW)) for y in range(draw(FEW))
            ]
    if draw(st.integers(0, 9)):  # older ledgers have no fleet
        links = [SharedLink("server", 0, draw(RATES), draw(RATES))]
        links += [SharedLink("cell", i, draw(RATES), draw(RATES)) for i in range(cells)]
        unknown = draw(st.integers(0, 3)) == 0
        for i in range(count):
            group, cell = draw(st.sampled_from("ab")), draw(st.integers(-1, cells - 1))
            own = draw(RATES), draw(RATES)
            rows.append(Client(i, group, *own, 0.0, 0.0, 0.0, cell, -1 if unknown else draw(FEW)))
        rows += [
            *links,
            *(Holding(i, y, draw(FEW)) for i in range(count) for y in range(draw(FEW))),
        ]
    return rows
