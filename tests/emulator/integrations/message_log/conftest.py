import json

import pytest

from .toy_log import HEADER


@pytest.fixture
def write(tmp_path):
    """Writes records, or a text, as a log; gives its path."""

    def written(*records, name="log.jsonl", header=None):
        head = [json.dumps(HEADER | (header or {}))]
        lines = [each if isinstance(each, str) else json.dumps(each) for each in records]
        path = tmp_path / name
        path.write_text("\n".join([*head, *lines]) + "\n", "utf-8")
        return path

    return written
