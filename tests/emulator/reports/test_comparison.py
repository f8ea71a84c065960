"""The output of `compare`: each row's own band, and verdicts over all rows."""

import csv
import io
import json
import statistics

from rich.console import Console

from emulator.reports.comparison import table, to_csv, to_json
from emulator.results.comparison import Comparison, Contrast, FrontPoint
from emulator.results.metrics import Spread

NONE = Spread(None, None, None)
GAIN = {"accuracy_gain": 0.001, "accuracy_gain_low": -0.141, "accuracy_gain_high": 0.142}


def contrast(method: str, *, seeds: int = 3, reached: int = 3, **more: object) -> Contrast:
    times = [8.0, 8.7, 9.0][:reached] + [float("inf")] * (seeds - reached)
    median = statistics.median(times)
    shown = Spread(times[0], None if median > 1e9 else median, None) if reached else NONE
    return Contrast(
        method, "16x slower", "LoRA", seeds, seeds, reached, shown, shown, Spread(0.5, 0.5, 0.5),
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


CONTRASTS = (
    contrast("LoRA"),
    contrast(
        "head only", speedup=10.23, speedup_low=6.73, speedup_high=15.54, verdict="faster",
        p_alone=0.002, p=0.04, tests=18, **GAIN,
    ),
    contrast(
        "FLASC 1/4 down, 1/64 up", speedup=10.44, speedup_low=5.72, speedup_high=19.06,
        verdict="not shown", p_alone=0.004, p=0.07, tests=18, **GAIN,
    ),
)  # fmt: skip
FRONT = (FrontPoint("16x slower", "time_s", 8.1, 0.532, "head only", 21),)
FOUND = Comparison("LoRA", 0.5, None, CONTRASTS, FRONT)


def printed(found: Comparison) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(table(found))
    return out.getvalue()


def test_the_band_is_of_a_row_and_the_verdict_of_all_rows() -> None:
    text = printed(FOUND)
    assert max(map(len, text.splitlines())) <= 80
    heads = " ".join(" ".join(text.splitlines()[1:3]).split())
    assert (
        heads == "times 95 % band, verdict, method time bytes as fast row alone all rows accuracy"
    )
    row = next(line for line in text.splitlines() if line.startswith("FLASC"))
    assert "10.44  5.72 – 19.06  not shown" in row
    told = " ".join(text.split())
    assert "A band is a confidence interval of its row alone." in told
    assert "at 5 % for all rows tested together (18, by Holm)" in told
    assert "a row can have a band above 1 and be 'not shown'" in told
    assert "+0.001 -0.141 – +0.142" in " ".join(told.replace("1/64 up", "").split())


def test_exports_have_the_p_of_the_row_and_of_all_rows() -> None:
    both = csv.DictReader(io.StringIO(to_csv(FOUND))), json.loads(to_json(FOUND))["contrasts"]
    for rows in both:
        last = list(rows)[-1]
        assert [str(last[key]) for key in ("level", "p_alone", "p", "tests", "verdict")] == [
            "0.95", "0.004", "0.07", "18", "not shown"
        ]  # fmt: skip


def test_medians_say_of_how_many_seeds() -> None:
    text = " ".join(printed(FOUND).split())
    assert "Best under 16x slower, by time (median of 3 seeds; not tested):" in text
    assert "Time and bytes to accuracy 0.50, median of 3 seeds; times as fast as LoRA" in text
    one = contrast("head only", seeds=1, reached=1, speedup=2.0, verdict="one seed")
    text = " ".join(printed(Comparison("LoRA", 0.5, None, (one,), FRONT)).split())
    assert "by time (one seed; not tested):" in text
    assert "One seed: differences may be due to chance." in text
    assert "Holm" not in text


def test_a_median_of_never_has_the_seeds_that_reached_the_target() -> None:
    some = contrast("LoRA", reached=1)
    text = printed(Comparison("LoRA", 0.5, None, (some,), ()))
    assert "never" in text
    assert "(1 of 3)" in text
