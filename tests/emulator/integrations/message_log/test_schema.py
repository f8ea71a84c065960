"""The JSON Schema says of a line what the reader says."""

import json

import jsonschema
import pytest

from emulator.common.errors import MessageLogError
from emulator.integrations.message_log import read
from emulator.integrations.message_log.schema import log_schema

from .toy_log import HEADER, visit

VALIDATOR = jsonschema.Draft202012Validator(log_schema())


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(log_schema())


@pytest.mark.parametrize(
    "line",
    [
        HEADER,
        HEADER | {"clients": 5, "metric": "F1", "target": 0.5},
        HEADER | {"metric": "perplexity", "direction": "lower", "target": 12},
        visit(1, 7),
        visit(1, "a", seconds=1.5, examples=3, failed=True, merged=False),
        {"kind": "score", "round": 0, "value": 0.5, "loss": 1, "split": "test"},
        {"kind": "client", "client": 7, "group": "phones", "partition": 3},
    ],
)
def test_a_valid_line(line):
    VALIDATOR.validate(line)


@pytest.mark.parametrize(
    "line",
    [
        visit(0, 7),
        visit("1", 7),
        visit(1, 7, bytes_down=-1),
        visit(1, 7, seconds="1"),
        visit(1, 7, other=1),
        visit(1, 7, kind="visits"),
        HEADER | {"target": 1.5},
        {"kind": "score", "round": 1, "value": -1.5},
        {"kind": "client", "client": 7, "partition": -1},
        {"round": 1, "client": 7, "bytes_down": 1, "bytes_up": 1},
    ],
)
def test_an_invalid_line_is_refused_by_both(line, write):
    assert list(VALIDATOR.iter_errors(line))
    with pytest.raises(MessageLogError):
        read(write(json.dumps(line)))
