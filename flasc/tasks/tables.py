"""What the tasks over a user's own table share: where it is, its parts, and who holds which row."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self, override

from flasc.assets.packages import Notify
from flasc.common import rng
from flasc.common.errors import AssetError
from flasc.common.settings import Fraction, Settings, fraction_schema
from flasc.common.tagged_unions import ShortForm, spelled_out
from flasc.data import hub, table
from flasc.data.partition import PARTITIONS, SMALLEST_ALPHA, Indices, natural
from flasc.data.table import Table
from flasc.models.identity import sha256_of
from flasc.tasks.settings import Share, Source, TaskSettings, Tokens

# What a column `part`, or a split of the hub, may call each part.
NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
Column = Annotated[str, Field(min_length=1)]
Columns = Column | Annotated[list[Column], Field(min_length=1)]


def _held_out(value: float) -> float:
    if not 0 < value < 1 / 2:
        raise ValueError(f"found {value:g}; allowed: a share above 0 and below 1/2, like 1/10")
    return value


class RowSplit(Settings):
    """How the rows of a table are distributed to clients."""

    kind: Literal["dirichlet", "dirichlet_reference", "iid", "natural"]
    """skewed classes, each example used once; the reference code's version, which drops examples;
    random; each client is one value of `column`, like a user"""
    alpha: Annotated[float, Field(ge=SMALLEST_ALPHA, allow_inf_nan=False)] = 0.1
    """Dirichlet concentration; smaller values give a client fewer classes. Only for `dirichlet`"""
    column: Column | None = None
    """the column with the users for `natural`, with the classes for `dirichlet`; none: the task's
    label"""
    pooled: Share = 0.0
    """share of each user's examples that is pooled, shuffled and distributed evenly: 1 is IID. Only
    for `natural`"""

    @model_validator(mode="after")
    def _knows_the_users(self) -> Self:
        if self.kind == "natural" and self.column is None:
            raise ValueError("found natural without column; allowed: with the column of the users")
        return self

    def clients(
        self, rows: Table, labels: NDArray[np.integer] | None, count: int, seed: int
    ) -> list[Indices]:
        """The indices into `rows` of each of `count` clients. `labels` int [rows]; None: no label.

        Raises AssetError for a column that is missing, and PartitionError for too many clients.
        """
        stream = rng.stream(seed, "partition")
        if self.kind == "iid":
            return PARTITIONS["iid"](np.zeros(len(rows), np.int64), count, self.alpha, stream)
        if self.column is not None:
            named = rows.texts([self.column], "task.split.column")
            labels = np.unique(named, return_inverse=True)[1]
        assert labels is not None, "checked by the task"
        if self.kind == "natural":
            return natural(labels, count, self.pooled, stream)
        return PARTITIONS[self.kind](labels, count, self.alpha, stream)


Rows = Annotated[
    RowSplit, ShortForm(spelled_out, names=("dirichlet", "dirichlet_reference", "iid"))
]


class TableSettings(TaskSettings):
    """A task over a table: a local file, which its content identifies, or a data set of the hub."""

    file: Annotated[str | None, Field(exclude=True)] = None
    """a local table: .csv, .tsv, .jsonl or .parquet. This or `data` is required"""
    validation_file: Annotated[str | None, Field(exclude=True)] = None
    """a table with the validation split; none: see `part`"""
    test_file: Annotated[str | None, Field(exclude=True)] = None
    """a table with the test split; none: see `part`"""
    data: Source | None = None
    """a hub id or a local folder that the package `datasets` reads. This or `file` is required"""
    subset: str | None = None
    """configuration of `data`, such as `sst2` of `nyu-mll/glue`"""
    part: Column | None = None
    """the column that says of each row whether it is for `train`, `validation` or `test`; none: the
    share `held_out` of the rows is drawn for each split that no file and no split of `data` has"""
    held_out: Annotated[
        Fraction,
        AfterValidator(_held_out),
        fraction_schema("a fraction above 0 and below 1/2, like 1/10 or 10 %"),
    ] = 0.1
    """share of the rows that validates, and share that tests, where the data do not say"""
    tokens: Tokens = 128
    """length to which texts are cut and padded"""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.file is None) == (self.data is None):
            found = "neither file nor data" if self.file is None else "file and data"
            raise ValueError(f"found {found}; allowed: one of them, like file: mine.csv")
        if self.file is None and (self.validation_file or self.test_file):
            raise ValueError("found validation_file or test_file with data; allowed: with file")
        if self.file is not None and self.subset is not None:
            raise ValueError("found subset with file; allowed: with data")
        return self

    def _files(self) -> list[Path]:
        named = (self.file, self.validation_file, self.test_file)
        return [Path(name).expanduser() for name in named if name]

    @override
    def missing_data(self) -> str:
        return next(
            (f"no such file ({p.absolute()})" for p in self._files() if not p.is_file()), ""
        )

    @override
    def data_at_hand(self) -> str:
        found = [sha256_of(path) for path in self._files() if path.is_file()]
        return f"data SHA-256 {', '.join(found)}" if found else ""

    @property
    def edition(self) -> str:
        """Which data these are."""
        if self.data is not None:
            return f"{self.data}, {self.subset}" if self.subset else self.data
        return ", ".join(f"{path.name} ({sha256_of(path)[:12]})" for path in self._files())

    def parts(self, notify: Notify) -> dict[str, Table]:
        """The tables for train, validation and test. Raises AssetError.

        Rows that score are in random order, the same for every seed, so that the first k are a fair
        sample.
        """
        given = dict(self._given(notify))
        if "train" not in given:
            raise AssetError(
                f"{self.edition}: found no split train", f"its splits: {', '.join(given)}"
            )
        found = _named(given)
        if self.part is not None:
            found |= _by_column(found["train"], self.part)
        lacking = [name for name in NAMES if name not in found]
        rows = found["train"]
        order = rng.stream(0, "rows").permutation(len(rows))
        held = max(1, round(len(rows) * self.held_out))
        if len(rows) <= held * len(lacking):
            raise AssetError(
                f"{rows.origin}: found {len(rows)} rows; allowed: more than {held * len(lacking)}"
            )
        for number, name in enumerate(lacking):
            found[name] = rows.take(order[number * held : (number + 1) * held])
        found["train"] = rows.take(np.sort(order[len(lacking) * held :]))
        for name in set(NAMES) - {"train", *lacking}:
            order = rng.stream(0, f"rows/{name}").permutation(len(found[name]))
            found[name] = found[name].take(order)
        return {name: found[name] for name in NAMES}

    def _given(self, notify: Notify) -> Iterator[tuple[str, Table]]:
        if self.data is not None:
            yield from hub.load_tables(self.data, self.subset, notify).items()
            return
        for name, file in zip(
            NAMES, (self.file, self.validation_file, self.test_file), strict=True
        ):
            if file is not None:
                yield name, table.read(Path(file).expanduser())


def _named(given: Mapping[str, Table]) -> dict[str, Table]:
    """The parts that are among splits of any names."""
    found = {}
    for part, names in NAMES.items():
        of_part = next((given[name] for name in names if name in given), None)
        if of_part is not None and len(of_part):
            found[part] = of_part
    return found


def _by_column(rows: Table, column: str) -> dict[str, Table]:
    """The parts that a column names. Raises AssetError for a name of no part."""
    said = rows.texts([column], "task.part")
    part_of = {name: part for part, names in NAMES.items() for name in names}
    for number, name in enumerate(said, start=1):
        if name.lower() not in part_of:
            raise AssetError(
                f"{rows.origin}, row {number}: found {name!r} in column {column!r} (task.part); "
                f"allowed: {', '.join(NAMES)}"
            )
    codes = np.array([part_of[name.lower()] for name in said])
    found = {part: np.flatnonzero(codes == part) for part in NAMES}
    if not len(found["train"]):
        raise AssetError(f"{rows.origin}: found no row for train in column {column!r} (task.part)")
    return {part: rows.take(mine) for part, mine in found.items() if len(mine)}


def listed(columns: Columns) -> list[str]:
    """One column or several as a list."""
    return [columns] if isinstance(columns, str) else columns
