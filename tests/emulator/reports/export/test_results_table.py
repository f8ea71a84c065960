"""The table of results for a paper."""

from collections.abc import Callable

import pytest

from emulator.common.errors import LedgerError
from emulator.reports import run_report
from emulator.reports.export.results_table import to_latex, to_markdown
from emulator.reports.run_report import Study

Studies = Callable[..., Study]
METHODS = {"LoRA": 0.1, "A & B_1 | 50 %": 0.06, "head": 0.04}


def test_markdown_has_a_row_per_method_and_the_fastest_is_bold(study_of: Studies) -> None:
    text = to_markdown(study_of(METHODS, {"fast": 1, "slow": 16}))
    caption, _, head, rule, *rows = text.splitlines()
    assert caption.startswith("Simulated time to accuracy 0.50, one seed; on validation, first")
    assert head == "| method | fast | slow | rounds | down / up | final / test |"
    assert rule == "|---|---:|---:|---:|---:|---:|"
    assert rows[0].startswith("| LoRA | **20.0 s** | **95.0 s** | 5 | 20 kB / 5 kB |")
    assert rows[1].startswith(r"| A & B\_1 \| 50 % | 36.0 s | 2 min 51 s |")
    assert rows[2].startswith("| head | never | never | never |")


def test_latex_is_escaped_and_ranges_are_in_parentheses(study_of: Studies) -> None:
    text = to_latex(study_of(METHODS, {"1 % loss": 1}, seeds=(0, 1)))
    assert text.startswith("% Simulated time to accuracy 0.50, median of 2 seeds;")
    assert r"\begin{tabular}{lrrrr}" in text
    assert r"method & 1 \% loss & rounds &" in text
    assert r"LoRA & \textbf{22.5 s (20.0 s to 25.0 s)} & 5 &" in text
    assert r"A \& B\_1 | 50 \% & " in text
    body = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0].strip().splitlines()
    assert len(body) == len(METHODS)
    assert {line.replace(r"\&", "").count("&") for line in body} == {4}
    assert all(line.endswith(r" \\") for line in body)


def test_a_part_of_a_study_has_the_names_that_are_asked_for(study_of: Studies) -> None:
    study = study_of(METHODS, {"fast": 1, "slow": 16})
    part = run_report.only(study, ["head", "LoRA"], ["slow"])
    assert (part.methods, part.variants) == (("LoRA", "head"), ("slow",))
    assert {(o.method, o.variant) for o in part.outcomes} == {("LoRA", "slow"), ("head", "slow")}
    assert {(who.method, who.variant) for who in part.curves} == {
        (o.method, o.variant) for o in part.outcomes
    }
    assert run_report.only(study, [], []) == study
    with pytest.raises(LedgerError, match="found no variant 'slo'; did you mean 'slow'"):
        run_report.only(study, [], ["slo"])
