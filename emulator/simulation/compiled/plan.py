"""What a synchronous training does, whatever its network: who takes part, bytes, scores.

Only its times depend on the network, so one plan serves all networks of a recorded training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from emulator.network.compiled import layout
from emulator.network.compiled.layout import COMPUTE_ROW, DOWNLOAD_ROW, UPLOAD_ROW, Floats, Ints
from emulator.simulation.event_table import CODES, Columns, EventTable
from emulator.simulation.records import Computation, Evaluation, LabelScore, Round, Transfer
from flasc.common.messages import MessageInfo


@dataclass(frozen=True, slots=True)
class PlannedRounds:
    """Tasks of successive rounds: those of round `number + r` are `first[r]` to `first[r + 1]`.

    int64 [tasks] each: the client, the bytes that are timed, the examples and steps of its upload.
    """

    number: int
    first: Ints
    client: Ints
    down_B: Ints
    up_B: Ints
    examples: Ints
    steps: Ints

    @classmethod
    def of(
        cls,
        number: int,
        downloads: Sequence[MessageInfo],
        uploads: Sequence[MessageInfo],
        billed_bytes: Callable[[MessageInfo], int],
    ) -> "PlannedRounds":
        """One round with these messages, one pair per client."""
        columns = [
            (up.client, billed_bytes(down), billed_bytes(up), up.examples, up.steps)
            for down, up in zip(downloads, uploads, strict=True)
        ]
        fields = np.array(columns, np.int64).reshape(-1, 5).T.copy()
        return cls(number, np.array([0, len(columns)], np.int64), *fields)

    @classmethod
    def joined(cls, rounds: Sequence["PlannedRounds"]) -> "PlannedRounds":
        """All of them, which follow one another."""
        sizes = np.concatenate([np.diff(each.first) for each in rounds])
        first = np.concatenate([[0], np.cumsum(sizes)])
        names = ("client", "down_B", "up_B", "examples", "steps")
        joined = [np.concatenate([getattr(each, name) for each in rounds]) for name in names]
        return cls(rounds[0].number, first, *joined)

    def task_rounds(self) -> Ints:
        """The round of each task."""
        sizes = np.diff(self.first)
        return np.repeat(np.arange(self.number, self.number + len(sizes)), sizes)


@dataclass(frozen=True, slots=True)
class Plan:
    """All rounds of a training, and its rows that are not of tasks: rounds and scores, in order.

    The times of these rows are those under the network that the plan was made with.
    """

    rounds: PlannedRounds
    others: EventTable


class Plans:
    """Plans of one training by what they depend on besides it: settings, and who may take part.

    `compiling` is called when the network is compiled, which takes a while.
    """

    def __init__(self, compiling: Callable[[], None] = lambda: None) -> None:
        self.compiling = compiling
        self._known: list[tuple[object, Plan]] = []
        self.compiled = False  # whether the compiled network was used for the training

    def __len__(self) -> int:
        return len(self._known)

    def find(self, key: object) -> Plan | None:
        """The plan with this key, if there is one."""
        return next((plan for known, plan in self._known if known == key), None)

    def add(self, key: object, plan: Plan) -> None:
        """Remembers a plan."""
        self._known.append((key, plan))


class Work(NamedTuple):
    """What a task does: bytes down and up, examples and local steps in between."""

    down_B: int
    up_B: int
    examples: int
    steps: int

    def of(self, kind: int) -> tuple[int, int]:
        """What a row of this kind says of all of it: bytes and 0, or examples and steps."""
        by_kind = {DOWNLOAD_ROW: (self.down_B, 0), UPLOAD_ROW: (self.up_B, 0)}
        return by_kind.get(kind, (self.examples, self.steps))

    def without(self, cut: "Interrupted") -> "Work":
        """What is left of it after an activity was interrupted."""
        match cut.kind:
            case layout.DOWNLOAD_ROW:
                return self._replace(down_B=self.down_B - cut.done)
            case layout.UPLOAD_ROW:
                return self._replace(up_B=self.up_B - cut.done)
            case _:
                examples, steps = self.examples - cut.done, self.steps - cut.steps
                return self._replace(examples=examples, steps=steps)


class Interrupted(NamedTuple):
    """The activity of a task that was stopped: kind of its row, task, start, and what was done.

    `done` are bytes or examples, `steps` local steps.
    """

    kind: int
    task: int
    start_s: float
    done: int
    steps: int


class TaskRows(NamedTuple):
    """Rows of tasks: kinds as in `layout`, tasks, times; [rows] each.

    `done` and `steps` are the bytes, or the examples and the steps, of each row.
    """

    kind: Ints
    task: Ints
    start_s: Floats
    finish_s: Floats
    done: Ints
    steps: Ints

    @classmethod
    def whole(
        cls, rounds: PlannedRounds, kind: Ints, task: Ints, start_s: Floats, finish_s: Floats
    ) -> "TaskRows":
        """Rows of activities that came to their end."""
        by_kind = {
            DOWNLOAD_ROW: (rounds.down_B, 0 * task),
            COMPUTE_ROW: (rounds.examples, rounds.steps[task]),
            UPLOAD_ROW: (rounds.up_B, 0 * task),
        }
        done = np.choose(kind, [of[0][task] for of in by_kind.values()])
        steps = np.choose(kind, [of[1] for of in by_kind.values()])
        return cls(kind, task, start_s, finish_s, done, steps)

    def followed_by(self, cut: Sequence[Interrupted], now_s: float) -> "TaskRows":
        """These rows, and those of activities that were stopped at `now_s`."""
        if not cut:
            return self
        kind, task, start_s, done, steps = map(np.array, zip(*cut, strict=True))
        other = kind, task, start_s, np.full(len(cut), now_s), done, steps
        return TaskRows(*map(np.concatenate, zip(self, other, strict=True)))

    def table(self, rounds: PlannedRounds, outcome: Ints | None = None) -> EventTable:
        """The rows as a table; `outcome` [tasks] are indices in OUTCOMES, None: all were used."""
        number = rounds.task_rounds()
        codes = np.zeros(len(rounds.client), np.int64) if outcome is None else outcome
        is_transfer = self.kind != COMPUTE_ROW
        columns: dict[type[Any], Columns[Any]] = {}
        for record, which in ((Transfer, is_transfer), (Computation, ~is_transfer)):
            of = self.task[which]
            is_up = (self.kind[which] == UPLOAD_ROW).astype(np.int32)
            what = (is_up, self.done[which])
            if record is Computation:
                what = (self.done[which], self.steps[which])
            times = self.start_s[which], self.finish_s[which]
            after = codes[of].astype(np.int32), np.zeros(len(of), np.int64)
            columns[record] = Columns(
                record, (number[of], rounds.client[of], *what, *times, *after)
            )
        kinds = np.where(is_transfer, CODES[Transfer], CODES[Computation]).astype(np.int8)
        return EventTable(kinds, columns)


def timed(
    plan: Plan, tasks: EventTable, task: Ints, start_s: Floats, finish_s: Floats
) -> EventTable:
    """All rows of a plan, under the network in which its rounds took place at these times.

    `tasks` has the rows of its tasks, `task` [rows] says of which one each is; times are [rounds].
    """
    others, first = plan.others, plan.rounds.number
    rounds, scores = others.columns(Round), others.columns(Evaluation)
    at = rounds["round"] - first
    fields = dict(zip(Round._fields, rounds.arrays, strict=True))
    fields |= {"start_s": start_s[at], "finish_s": finish_s[at]}
    others = others.replaced(Columns(Round, tuple(fields.values()), rounds.words))
    fields = dict(zip(Evaluation._fields, scores.arrays, strict=True))
    fields["time_s"] = finish_s[scores["round"] - first]
    others = others.replaced(Columns(Evaluation, tuple(fields.values()), scores.words))
    # A round's tasks come before its other rows.
    of_tasks, of_others = plan.rounds.task_rounds()[task], others_rounds(plan.others)
    before = np.searchsorted(of_others, of_tasks, side="left")
    until = np.searchsorted(of_tasks, of_others, side="right")
    places = np.arange(len(of_tasks)) + before, np.arange(len(of_others)) + until
    return EventTable.merged([(tasks, places[0]), (others, places[1])])


def others_rounds(others: EventTable) -> Ints:
    """The round of each row, in the order of the rows."""
    found = np.zeros(len(others), np.int64)
    for record in (Round, Evaluation, LabelScore):
        found[others.positions(record)] = others.columns(record)["round"]
    return found
