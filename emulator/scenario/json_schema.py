"""JSON Schema of what people write, for editors: units as text, bare names, presets, `extends`.

It follows the models. What they take before they look at types (a rate as text, a bare name for a
kind) stands here by its validator, since pydantic shows what comes out. (JSON Schema 2020-12.)
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from emulator.common.units import parse_duration, parse_rate, parse_speed
from emulator.network.capacity.markov import rate_or_zero
from emulator.scenario.scenario import Scenario
from emulator.simulation.clients.links import Network
from flasc.common.settings import parse_fraction

Schema = dict[str, Any]

FILE_NAME = "flasc-emu.schema.json"
_NUMBER = r"\s*[+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*"
_RATE = rf"^{_NUMBER}(Ki|Mi|Gi|Ti|[kKMGT]?)(bps|bit/s|b/s|Bps|byte/s|bytes/s|B/s)\s*$"
_SPEED = rf"^{_NUMBER}([kMGT]?)FLOP(/s|S)\s*$"
_DURATION = rf"^{_NUMBER}(ns|us|µs|ms|s|min|h|d)\s*$"
_FRACTION = r"^\s*(\d+\s*/\s*\d+|\d+(\.\d+)?\s*%)\s*$"

# What a parser takes instead of the number that it gives.
_TEXTS: Mapping[Callable[..., Any], Schema] = {
    parse_rate: {
        "type": "string", "pattern": _RATE, "description": "a rate, like 20 Mbps or 1.25 MB/s",
    },
    parse_speed: {
        "type": "string", "pattern": _SPEED, "description": "a speed, like 20 GFLOP/s",
    },
    rate_or_zero: {
        "description": "a rate, like 20 Mbps, or 0",
        "anyOf": [{"type": "string", "pattern": _RATE}, {"const": 0}],
    },
    parse_duration: {
        "description": "a duration, like 40 ms or 2 s",
        "anyOf": [{"type": "string", "pattern": _DURATION}, {"const": 0}],
    },
    parse_fraction: {
        "description": "a fraction, like 1/16, 25 % or 0.25",
        "anyOf": [{"type": "string", "pattern": _FRACTION}, {"type": "number"}],
    },
}  # fmt: skip


class _AsWritten(GenerateJsonSchema):
    """The schema of what goes in."""

    def function_before_schema(self, schema: Any) -> Schema:
        """A parser's text, a bare name or a bare number beside what the model has."""
        function = schema["function"]["function"]
        if function in _TEXTS:
            return copy.deepcopy(_TEXTS[function])
        inner = super().function_before_schema(schema)
        match getattr(function, "__name__", ""):
            case "spelled_out":
                return {"anyOf": [{"type": "string"}, inner]}
            case "_offset":
                return {"anyOf": [{"enum": ["random", "none"]}, _TEXTS[parse_duration]]}
            case "_of_up":
                return {"anyOf": [{"type": "number"}, inner]}
        return inner


def scenario_schema() -> Schema:
    """JSON Schema of a scenario's file, whole or over what it `extends`."""
    return _authored(Scenario)


def network_schema() -> Schema:
    """The same of a file for --network."""
    network = _written(Network)
    definitions = network.pop("$defs")
    file = {
        "type": "object", "additionalProperties": False, "required": ["network"],
        "properties": {"network": network},
    }  # fmt: skip
    return _with_extends({"$defs": definitions, **file}, "flasc-emu network")


def _authored(model: type[BaseModel]) -> Schema:
    return _with_extends(_written(model), f"flasc-emu {model.__name__.lower()}")


def _written(model: type[BaseModel]) -> Schema:
    schema = model.model_json_schema(schema_generator=_AsWritten)
    for definition in [schema, *schema.get("$defs", {}).values()]:
        _relax(definition)
    return schema


def _relax(definition: Schema) -> None:
    """A preset or a table of devices fills in what it has; measured values may stand in a file."""
    properties = definition.get("properties", {})
    for keys, filled in ((("preset", "devices"), ("down", "up")), (("file",), ("values",))):
        if {*keys, *filled} <= properties.keys():
            required = definition.get("required", [])
            definition["required"] = [name for name in required if name not in filled]
            definition["anyOf"] = [{"required": list(each)} for each in (*zip(keys), filled)]


def _with_extends(whole: Schema, title: str) -> Schema:
    """`whole`, or any part of it in a file that extends another: there, null deletes."""
    definitions = whole.pop("$defs")
    parts = {f"{name} (part)": _part(each) for name, each in definitions.items()}
    part = _part(whole)
    file = {"type": "string", "minLength": 1}
    part["properties"]["extends"] = {
        "description": "a file to build on, relative to this one, or a list of files",
        "anyOf": [file, {"type": "array", "items": file}],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/$defs/file (part)"},
        "else": {"$ref": "#/$defs/file"},
        "$defs": {"file": whole, "file (part)": part, **definitions, **parts},
    }


def _part(schema: Any) -> Any:
    """`schema` with nothing required, null for every key, and so for all inside it."""
    if isinstance(schema, list):
        return [_part(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # With nothing required, several kinds may fit what is there of one.
    kept = {"anyOf" if key == "oneOf" else key: value for key, value in schema.items()
            if key not in ("required", "discriminator", "minProperties")}  # fmt: skip
    if "anyOf" in kept and all(set(one) == {"required"} for one in kept["anyOf"]):
        del kept["anyOf"]
    part = {key: _part(value) for key, value in kept.items() if key != "default"}
    part |= {key: kept[key] for key in ("default", "const", "enum") if key in kept}
    if "$ref" in part:
        part["$ref"] += " (part)"
    if isinstance(kept.get("properties"), dict):
        part["properties"] = {k: _or_null(_part(v)) for k, v in kept["properties"].items()}
    if isinstance(kept.get("additionalProperties"), dict):
        part["additionalProperties"] = _or_null(_part(kept["additionalProperties"]))
    return part


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}
