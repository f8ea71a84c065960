"""Ids of clients and flows in a file."""

from collections import Counter
from collections.abc import Iterable

from emulator.common.errors import ScenarioError
from emulator.common.text import nearest, printable, short_repr
from emulator.testbed.schedule import Id


class Ids:
    """Unique ids and their indices; 1 and '1' are the same id.

    Raises ScenarioError, beginning with `what`, for a duplicate.
    """

    def __init__(self, ids: Iterable[Id], what: str = "") -> None:
        self.ids = list(ids)
        self._numbers = {str(id_): number for number, id_ in enumerate(self.ids)}
        if len(self._numbers) < len(self.ids):
            names = [str(id_) for id_ in self.ids]
            twice, _ = Counter(names).most_common(1)[0]
            raise ScenarioError(f"{what}: found {short_repr(twice)} twice; allowed: once")

    def number(self, id_: Id, place: str) -> int:
        """The index of `id_`. Raises ScenarioError, beginning with `place`, if it is unknown."""
        if (number := self._numbers.get(str(id_))) is not None:
            return number
        near = nearest(str(id_), self._numbers) if isinstance(id_, str) else None
        known = [printable(name) for name in self._numbers]
        allowed = ", ".join(known if len(known) <= 8 else [*known[:3], "…", known[-1]])
        meant = f"did you mean {near!r}? " if near else ""
        raise ScenarioError(f"{place}: found {short_repr(id_)}; {meant}allowed: {allowed}")
