"""JSON Schema of scenario files for editors: units as text, bare names, presets, `extends`.

It follows the settings classes; types that accept text state its schema. (JSON Schema 2020-12.)
"""

import json
import re
from typing import Any

from pydantic import BaseModel

from emulator.common.files import distinct
from emulator.scenario.scenario import Scenario
from emulator.simulation.clients.links import Network

Schema = dict[str, Any]

FILE_NAME = "flasc-emu.schema.json"


def scenario_schema() -> Schema:
    """JSON Schema of a scenario file, with or without `extends`."""
    return _with_extends(_written(Scenario), "flasc-emu scenario")


def network_schema() -> Schema:
    """JSON Schema of a file for --network."""
    network = _written(Network)
    definitions = network.pop("$defs")
    file = {
        "type": "object", "additionalProperties": False, "required": ["network"],
        "properties": {"network": network},
    }  # fmt: skip
    return _with_extends({"$defs": definitions, **file}, "flasc-emu network")


def _written(model: type[BaseModel]) -> Schema:
    schema = _renamed(model.model_json_schema())
    for definition in [schema, *schema.get("$defs", {}).values()]:
        _relax(definition)
        _retitle(definition)
    return schema


def _renamed(schema: Schema) -> Schema:
    """`schema` with titles for the definitions that are named by Python modules and types."""
    definitions = schema["$defs"]
    found = [key for key in definitions if "__" in key]
    text = json.dumps(schema)
    for key, name in zip(found, distinct(definitions[key]["title"] for key in found), strict=True):
        text = text.replace(f'{key}"', f'{name}"')
    renamed: Schema = json.loads(text)
    return renamed


def _retitle(definition: Schema) -> None:
    """Replace the name of a settings class by words, and drop titles that repeat a key.

    Editors show titles as the names of types.
    """
    if "title" in definition:
        words = re.sub("(?<=[a-z])(?=[A-Z][a-z])", " ", definition["title"]).lower()
        definition["title"] = words.removesuffix(" settings")
    for inside in definition.get("properties", {}).values():
        inside.pop("title", None)


def _relax(definition: Schema) -> None:
    """Make keys optional that a preset, a table, a short form or a file provides."""
    properties = definition.get("properties", {})
    links = ("preset", "devices", "table"), ("down", "up")
    density = ("density",), ("down", "up")
    for keys, filled in (links, density, (("file",), ("values",))):
        if {*keys, *filled} <= properties.keys():
            required = definition.get("required", [])
            definition["required"] = [name for name in required if name not in filled]
            definition["anyOf"] = [{"required": list(each)} for each in (*zip(keys), filled)]


def _with_extends(whole: Schema, title: str) -> Schema:
    """`whole`, or for a file that extends another any part of it, where null deletes a key."""
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
    """`schema` with all keys optional and null allowed for each, at every level."""
    if isinstance(schema, list):
        return [_part(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # With all keys optional, a part may fit several kinds.
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
    """`schema` or null, with its description beside both, where editors look for it."""
    about = {"description": schema.pop("description")} if "description" in schema else {}
    return about | {"anyOf": [schema, {"type": "null"}]}
