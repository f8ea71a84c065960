"""JSON Schema of one line of a message log in JSONL, from the models (JSON Schema 2020-12)."""

from typing import Any

from emulator.integrations.message_log.records import KINDS, Header


def log_schema() -> dict[str, Any]:
    """JSON Schema of a line: a header, a visit, a score or a client."""
    lines = [_line("header", Header.model_json_schema(), required=())]
    lines += [
        _line(kind, model.model_json_schema(), required=("kind",)) for kind, model in KINDS.items()
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "flasc-emu message log, one line",
        "oneOf": lines,
    }


def _line(title: str, schema: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    """The schema of one kind of line, with plain titles; `kind` is needed in JSONL."""
    for inside in schema["properties"].values():
        inside.pop("title", None)
    return {**schema, "title": title, "required": [*required, *schema.get("required", [])]}
