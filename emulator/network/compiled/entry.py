"""The compiled functions that Python calls. Each takes the two arrays of a `World`."""

from collections.abc import Callable

from emulator.network.compiled import tasks
from emulator.network.compiled.jit import entry, pointer
from emulator.network.compiled.layout import (
    ENDED,
    ENDS,
    LIMIT,
    NOTHING,
    NOW_S,
    SOURCE,
    UNKNOWN,
    Floats,
    Ints,
)
from emulator.network.compiled.source import source_digest


def _run_rounds(source: int) -> Callable[..., tuple[int, int]]:
    @entry
    def run_rounds(
        f: Floats,
        i: Ints,
        first: Ints,
        client: Ints,
        down_B: Ints,
        up_B: Ints,
        compute_s: Floats,
        start_s: Floats,
        finish_s: Floats,
        ends: Ints,
        lasts_s: float,
        number: int,
        resumes: bool,
    ) -> tuple[int, int]:
        """Runs rounds from `number` on: until `ends[r]` tasks of r have ended, or for `lasts_s`.

        Tasks of round r are `first[r]` to `first[r + 1]`, and later ones begin when they all have
        ended; `start_s` and `finish_s` [rounds] are filled in. Returns (next round, why): ENDED
        after the last one, otherwise why it stopped. `resumes` says that the tasks of this round
        are under way. Uploads may be UNKNOWN.
        """
        if i[SOURCE] != source:
            return number, NOTHING
        floats, ints = pointer(f), pointer(i)
        while number < len(start_s):
            count = first[number + 1] - first[number]
            if not resumes:
                start_s[number] = f[NOW_S]
                i[ENDS] = 0
                for slot in range(count):
                    at = first[number] + slot
                    tasks.begin(
                        floats, ints, slot, at, client[at], down_B[at], up_B[at], compute_s[at]
                    )
            why = ENDED
            if count:
                limit_s = start_s[number] + lasts_s
                why = tasks.advance(floats, ints, limit_s, ends[number])
            if why not in (ENDED, LIMIT):
                return number, why
            finish_s[number] = f[NOW_S]
            number, resumes = number + 1, False
        return number, ENDED

    return run_rounds


def _advance(source: int) -> Callable[..., int]:
    @entry
    def advance(f: Floats, i: Ints, limit_s: float, ends: int, resumes: bool) -> int:
        """`tasks.advance`, until so many tasks have ended. Uploads may be UNKNOWN.

        They are counted from now on, or, if it `resumes`, since an earlier call.
        """
        if i[SOURCE] != source:
            return NOTHING
        if not resumes:
            i[ENDS] = 0
        return tasks.advance(pointer(f), pointer(i), limit_s, ends)

    return advance


def _begin(source: int) -> Callable[..., None]:
    @entry
    def begin(f: Floats, i: Ints, slot: int, number: int, client: int, down_B: int) -> None:
        """Starts a task, now, whose upload is UNKNOWN."""
        if i[SOURCE] == source:
            tasks.begin(pointer(f), pointer(i), slot, number, client, down_B, UNKNOWN, 0.0)

    return begin


def _trained(source: int) -> Callable[..., None]:
    @entry
    def trained(f: Floats, i: Ints, slot: int, up_B: int, compute_s: float) -> None:
        """`tasks.trained`."""
        if i[SOURCE] == source:
            tasks.trained(pointer(f), pointer(i), slot, up_B, compute_s)

    return trained


def _give(source: int) -> Callable[..., None]:
    @entry
    def give(f: Floats, i: Ints, slot: int, flights: Floats) -> None:
        """Gives a message that asked for them its flights: [flights, 3], as in `Flight`."""
        if i[SOURCE] == source:
            floats, ints = pointer(f), pointer(i)
            for at in range(len(flights)):
                size_B, round_s, cap_Bps = flights[at, 0], flights[at, 1], flights[at, 2]
                tasks.give(floats, ints, slot, at, size_B, round_s, cap_Bps)
            tasks.given(floats, ints, slot, len(flights))

    return give


def _interrupt(source: int) -> Callable[..., tuple[float, float]]:
    @entry
    def interrupt(f: Floats, i: Ints, slot: int) -> tuple[float, float]:
        """`tasks.interrupt`."""
        if i[SOURCE] != source:
            return 0.0, 0.0
        return tasks.interrupt(pointer(f), pointer(i), slot)

    return interrupt


def _resume(source: int) -> Callable[..., None]:
    @entry
    def resume(f: Floats, i: Ints, slot: int, phase: int, nbytes: int, seconds: float) -> None:
        """`tasks.resume`."""
        if i[SOURCE] == source:
            tasks.resume(pointer(f), pointer(i), slot, phase, nbytes, seconds)

    return resume


run_rounds = _run_rounds(source_digest())
advance = _advance(source_digest())
begin = _begin(source_digest())
trained = _trained(source_digest())
give = _give(source_digest())
interrupt = _interrupt(source_digest())
resume = _resume(source_digest())
