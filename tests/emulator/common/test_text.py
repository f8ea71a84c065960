"""Text for messages."""

import json

from emulator.common.text import SYNONYMS, by_synonym, nearest, printable, short_repr
from emulator.scenario.json_schema import scenario_schema


def test_found_values_are_short_and_printable():
    assert short_repr("a\nb") == r"'a\nb'"
    assert short_repr(None) == "null"
    assert short_repr(True) == "true"
    assert short_repr([1, "x"]) == '[1, "x"]'
    assert len(short_repr("x" * 1000)) == 60
    assert printable("a\x1b\u202e\ud800b") == r"a\x1b\u202e\ud800b"


def test_nearest_ignores_case_and_gives_up():
    assert nearest("LORA", ["flasc", "LoRA"]) == "LoRA"
    assert nearest("cohrt", ["rounds", "cohort"]) == "cohort"
    assert nearest("zzz", ["rounds", "cohort"]) is None
    assert nearest("x", []) is None


def test_every_synonym_is_of_something_that_a_scenario_has():
    text = json.dumps(scenario_schema())
    for name, names in SYNONYMS.items():
        assert name == name.casefold()
        assert all(f'"{each}"' in text for each in names)
        assert not by_synonym(name, ["others"])
