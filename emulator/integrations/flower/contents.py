"""What a recorder reads in messages of Flower: sizes, the round, the notes of the mod, metrics."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.common.errors import MessageLogError
from emulator.common.text import short_repr, suggestion
from emulator.integrations.message_log import Writer
from emulator.integrations.message_log.rounds import RoundWriter

NOTES = "flasc-emu"  # the record in an answer that the mod adds
ROUND = "server-round"  # the key that Flower's strategies put into their config


@dataclass(frozen=True, slots=True)
class Notes:
    """What the mod says about one answer; None: not known."""

    seconds: float | None = None
    partition: int | None = None


def message_bytes(message: Any) -> int:
    """The bytes of all records of a message, as Flower counts them; 0 for an error."""
    if not message.has_content():
        return 0
    content = message.content
    counted = (*content.array_records.values(), *content.metric_records.values())
    sizes: list[int] = [record.count_bytes() for record in counted]
    return sum(sizes) + sum(map(config_bytes, content.config_records.values()))


def arrays_in(message: Any) -> int:
    """How many arrays a message has; 1 if its bytes are in a config."""
    return max(1, sum(map(len, message.content.array_records.values())))


def config_bytes(config: Mapping[str, Any]) -> int:
    """The bytes of keys and values. `ConfigRecord.count_bytes` refuses empty texts, which occur."""
    return sum(len(key) + _value_bytes(value) for key, value in config.items())


def _value_bytes(value: Any) -> int:
    if isinstance(value, bool):
        return 1
    if isinstance(value, int | float):
        return 8
    if isinstance(value, str | bytes):
        return len(value)
    return sum(map(_value_bytes, value))


def round_label(message: Any) -> str | None:
    """The round of a message: from its config, or else its group. None if neither says it."""
    configs: Iterable[Mapping[str, Any]] = message.content.config_records.values()
    found = next((config[ROUND] for config in configs if ROUND in config), None)
    return str(found) if found is not None else message.metadata.group_id or None


def purpose_of(message: Any) -> str:
    """`train`, `evaluate` or `query`, without the name of a function: `train.mine`."""
    return str(message.metadata.message_type).partition(".")[0]


def take_notes(message: Any) -> Notes:
    """The notes of the mod, which are removed from the message: strategies need not know them."""
    if not message.has_content() or NOTES not in message.content:
        return Notes()
    record = message.content[NOTES]
    del message.content[NOTES]
    return Notes(record.get("seconds"), record.get("partition"))


def metric_in(message: Any, key: str | None) -> float | None:
    """The metric `key` of an answer; None if it has none."""
    if key is None:
        return None
    records: Iterable[Mapping[str, Any]] = message.content.metric_records.values()
    return next((record[key] for record in records if key in record), None)


def score_in(metrics: Mapping[str, Any], key: str, name: str) -> float:
    """The value of `key` in the metrics of the function `name`. Raises MessageLogError."""
    if key not in metrics:
        found = ", ".join(map(short_repr, metrics)) or "no metric"
        raise MessageLogError(
            f"{name}: found {found}; allowed: metrics with "
            f"{short_repr(key)}{suggestion(key, list(metrics))}",
            "name the metric with Recorder(..., metric=NAME)",
        )
    return float(metrics[key])


def opened(path: str | Path, run: str | None, method: str | None, **header: Any) -> RoundWriter:
    """A log whose run and method are named after its file if they have no other name."""
    name = Path(path).stem
    return RoundWriter(Writer(path, run=run or name, method=method or name, **header))


def name_of(function: Callable[..., Any]) -> str:
    """The name of a function for a message."""
    return getattr(function, "__name__", type(function).__name__)
