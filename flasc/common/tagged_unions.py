"""Settings told apart by `kind`, which a scenario may write as a bare name or leave out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BeforeValidator, Discriminator, GetJsonSchemaHandler
from pydantic_core import CoreSchema


@dataclass(frozen=True)
class ShortForm(BeforeValidator):
    """A validator that expands a short form, of JSON `types`; the JSON Schema has both forms.

    `about` says what it is; `names` are all texts that are allowed, if they are known.
    """

    types: tuple[str, ...] = ("string",)
    names: tuple[str, ...] = ()
    about: str = "the name of a kind alone"

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        form = {"enum": [*self.names]} if self.names else {"type": [*self.types]}
        return {"anyOf": [form | {"description": self.about}, handler(schema)]}


def spelled_out(value: object) -> object:
    """The settings of a kind that is given by its name alone."""
    return {"kind": value} if isinstance(value, str) else value


def kind_or(default: str) -> Discriminator:
    """Tells settings apart by `kind`, which is `default` if it is missing."""

    def kind(value: object) -> str:
        if isinstance(value, Mapping):
            return str(value.get("kind", default))
        return str(getattr(value, "kind", default))

    return Discriminator(kind)
