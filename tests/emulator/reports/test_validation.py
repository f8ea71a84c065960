"""What was validated is told where results are, and not where it is of something else."""

import json

import pytest
from rich.console import Console

from emulator.common.errors import LedgerError
from emulator.reports.export import json_csv
from emulator.reports.page import page
from emulator.reports.run_report import load
from emulator.reports.terminal import table
from emulator.reports.validation import Validation, line
from emulator.results.ledger import Ledger
from emulator.simulation.records import Emulation


def case(variant="x", upload_s=1.0, error=-0.015, **keys):
    """Of the first round that `write_run` writes: 2 s down, `upload_s` up."""
    messages = [("down", 4000, 2.0), ("up", 1000, upload_s)]
    return {
        "method": "A", "variant": variant, "seed": 0, "round": 1, "warning": "",
        "makespan": {"simulated_s": 4.0, "measured_s": 4.1, "error": error},
        "mean_absolute_error": 0.02,
        "transfers": [
            {"client": 5, "direction": direction, "nbytes": nbytes, "simulated_s": took_s}
            for direction, nbytes, took_s in messages
        ],
        **keys,
    }  # fmt: skip


@pytest.fixture
def studied(write_run):
    def load_with(*cases, text=None):
        path = write_run({"A": 0.1, "B": 0.04}, {"x": 1, "y": 2})
        text = json.dumps({"machine": {}, "cases": cases}) if text is None else text
        path.with_name("validation.json").write_text(text)
        with Ledger.open(path) as ledger:
            return load(ledger)

    return load_with


def test_a_validated_emulation_says_so_in_its_row(studied):
    study = studied(case())
    found = Validation(1, 2, -0.015, 0.02, trusted=True)
    assert study.validations == {Emulation("A", "x", 0): found}
    rows = json.loads(json_csv.to_json(study.outcomes, study.validations))
    assert [row.get("validation") for row in rows] == [
        {
            "round": 1, "transfers": 2, "makespan_error": -0.015, "mean_absolute_error": 0.02,
            "trusted": True,
        },
        None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        case(upload_s=1.1),  # another network
        case(round=2, transfers=case()["transfers"][:1]),
        case(variant="z"),
        case(method="C"),
        case(round=99),
    ],
)
def test_what_was_validated_before_something_changed_is_not_told(studied, other):
    study = studied(other)
    assert study.validations == {}
    assert "validation.json" not in page.html(study)


def test_the_line_is_on_the_page_and_under_the_table(studied):
    study = studied(case(), case("y", 2.0, 0.004))
    said = "is off by -1.5% to +0.4%, 2 cases; negative is too fast."
    assert said in page.html(study)
    console = Console(width=300)
    with console.capture() as printed:
        console.print(table(study))
    assert said in printed.get()


def test_a_machine_that_was_too_slow_is_no_witness(studied):
    study = studied(case(warning="packets were late"))
    assert not study.validations[Emulation("A", "x", 0)].trusted
    assert line(study.validations.values()) == ""


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cases": [1]}', '{"cases": [{"method": "A"}]}'])
def test_another_file_of_that_name_is_refused(studied, text):
    with pytest.raises(LedgerError, match="the format of flasc-emu validate"):
        studied(text=text)


def test_a_case_without_its_numbers_is_refused(studied):
    with pytest.raises(LedgerError, match="the format of flasc-emu validate"):
        studied(case(makespan={}))
