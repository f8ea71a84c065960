"""Messages about a message log: file, line, column or field, what was found, what is allowed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from emulator.common.errors import FieldError, MessageLogError
from emulator.common.text import printable, suggestion
from emulator.common.validation_text import value_text
from flasc.common.settings import Settings

R = TypeVar("R", bound=Settings)
HINT = "the format: docs/reference/message_log.md; flasc-emu check LOG validates a file"


def problem(path: Path, line: int | None, text: str, hint: str = HINT) -> MessageLogError:
    """The error at a line of the file; None: about the file as a whole."""
    place = printable(str(path)) + (f":{line}" if line else "")
    return MessageLogError(f"{place}: {text}", hint)


def validated(
    model: type[R],
    values: Mapping[str, Any],
    path: Path,
    line: int | None,
    places: Mapping[str, str] | None = None,
) -> R:
    """`values` as a record. Raises MessageLogError with one message per field.

    `places` say where a field is, for example 'column 3', if the line does not have its name.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        texts = [_text(each, model, places or {}) for each in error.errors(include_url=False)]
        raise problem(path, line, "; ".join(dict.fromkeys(texts))) from None


def _text(details: Any, model: type[Settings], places: Mapping[str, str]) -> str:
    """The message about one field, with its place."""
    error = details.get("ctx", {}).get("error")
    loc = error.path if isinstance(error, FieldError) else details["loc"]
    name = printable(str(loc[0])) if loc else ""
    place = f"{places[name]}, {name}" if name in places else name
    match details["type"]:
        case "missing":
            return f"{place}: missing"
        case "extra_forbidden":
            return f"{place}: unknown field{suggestion(name, list(model.model_fields))}"
        case _:
            return f"{place}: {value_text(details)}" if place else value_text(details)
