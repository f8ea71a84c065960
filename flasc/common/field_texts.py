"""The text below each field of a settings class, for the JSON Schema and the reference of keys.

Source files are read when a text is asked for: pydantic's own reading of these texts takes half a
second of each start.
"""

import ast
import inspect
import itertools
import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import Literal, get_args, get_origin

from pydantic import BaseModel

_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")


def field_texts(model: type[BaseModel]) -> dict[str, str]:
    """{field: text}, Markdown in one line; of a field that names the class, the class's first line.

    A text of a base class holds for its subclasses.
    """
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        found |= _texts_in(base.__module__).get(base.__name__, {})
    about = (inspect.getdoc(model) or "").split("\n")[0]
    tags = (name for name, field in model.model_fields.items() if is_tag(field.annotation))
    named = dict.fromkeys(tags, about) if about else {}
    return {name: text for name, text in (named | found).items() if name in model.model_fields}


def plain(text: str) -> str:
    """A text without the targets of its links."""
    return _LINK.sub(r"\1", text)


def is_tag(annotation: object) -> bool:
    """Whether a field has one value, which names its class."""
    return get_origin(annotation) is Literal and len(get_args(annotation)) == 1


@cache
def _texts_in(module: str) -> dict[str, dict[str, str]]:
    """{class: {field: text}} of the classes of a module; empty without its source."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (KeyError, OSError, TypeError, SyntaxError):
        return {}
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return {node.name: dict(_fields(node)) for node in classes}


def _fields(definition: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in itertools.pairwise(definition.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                yield name, " ".join(text.split())
