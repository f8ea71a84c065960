"""All rows of a ledger as CSV or Parquet: `method`, `variant`, `seed`, `network_seed`, then
the row's fields.

There is one table per kind of row, and one of outcomes. Tables are written one simulation at a
time, because a run may have millions of rows. Parquet
(https://parquet.apache.org/docs/file-format/) needs the extra pyarrow.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from functools import partial
from itertools import chain
from typing import Any, get_args

from emulator.common.errors import SupportError
from emulator.reports.export.json_csv import csv_text
from emulator.reports.run_report import Study, printable
from emulator.results.ledger import Ledger
from emulator.results.metadata import swept_columns
from emulator.results.metrics import Outcome
from emulator.simulation.records import Row

Batch = list[tuple[Any, ...]]
_KEY: dict[str, type] = {"method": str, "variant": str, "seed": int, "network_seed": int}


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, each of int, float or str; `batches` yields the rows again at each call.

    A value of an int or float column may be None: never, or not recorded.
    """

    columns: dict[str, type]
    batches: Callable[[], Iterable[Batch]]


def tables(ledger: Ledger, study: Study) -> dict[str, Table]:
    """Return all tables of a run by name; `study` is loaded from `ledger`. Raises LedgerError."""
    found = {"outcomes": _outcomes(study)}
    for record in get_args(Row):
        columns = _KEY | record.__annotations__
        found[f"{record.__name__.lower()}s"] = Table(columns, partial(_batches, ledger, record))
    return found


def _outcomes(study: Study) -> Table:
    """Return the outcomes with the numbers of sweeps."""
    numbers = swept_columns(study.swept)
    added = list(dict.fromkeys(name for row in numbers.values() for name in row))
    rows = [
        (*astuple(each), *map(numbers.get(each.variant, {}).get, added)) for each in study.outcomes
    ]
    return Table(_columns(Outcome) | dict.fromkeys(added, float), lambda: [rows])


def _columns(record: type[Any]) -> dict[str, type]:
    kinds = {f.name: (f.type, *get_args(f.type)) for f in fields(record)}
    # A Literal of texts names no type.
    return {
        name: next((k for k in (str, int, float) if k in of), str) for name, of in kinds.items()
    }


def _batches(ledger: Ledger, record: type[Row]) -> Iterator[Batch]:
    for emulation in ledger.emulations():
        names = printable(emulation.method), printable(emulation.variant)
        key = (*names, emulation.seed, emulation.network_seed)
        yield [(*key, *row) for row in ledger.rows(emulation).columns(record)]


def to_csv(table: Table) -> bytes:
    """Return the table in UTF-8 with a header line; an empty cell for None."""
    return csv_text(table.columns, chain.from_iterable(table.batches())).encode()


def to_parquet(table: Table) -> bytes:
    """Return the table with a row group per simulation. Raises SupportError without pyarrow."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise missing("pyarrow") from None
    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema({name: kinds[kind] for name, kind in table.columns.items()})
    target = io.BytesIO()
    with parquet.ParquetWriter(target, schema) as writer:
        for batch in table.batches():
            columns = list(zip(*batch, strict=True)) or [()] * len(schema)
            writer.write_table(pa.table(list(map(list, columns)), schema=schema))
    return target.getvalue()


def missing(package: str, extra: str = "export") -> SupportError:
    """Return the error for a package of an extra that is not installed."""
    return SupportError(
        f"found no {package}, which this export needs", f'pip install "flasc-emu[{extra}]"'
    )
