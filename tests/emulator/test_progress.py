"""What a person sees while a run goes on."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from emulator import progress, study
from emulator.engines import Progress
from emulator.progress import Display, titles


@pytest.fixture
def clock(monkeypatch):
    """A wall clock that the test moves."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def trainings(scenario):
    return study.read(scenario()).trainings()


@pytest.fixture
def plain(trainings, clock):
    out = io.StringIO()
    display = Display(Console(file=out, width=80), trainings, workers=2)
    return display, out


def at(number, trained=None, **more):
    return Progress(number, 4, 0.5 * number, 0.25, number if trained is None else trained, **more)


def test_plain_lines_come_at_most_every_ten_seconds_a_training(plain, clock):
    display, out = plain
    with display:
        display.show(0, at(1))
        clock.now += 9
        display.show(0, at(2))
        display.show(1, at(1))
        clock.now += 2
        display.show(0, at(3))
    lines = out.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "LoRA: round 1/4", "head: round 1/4", "LoRA: round 3/4"
    ]  # fmt: skip
    assert lines[0] == "LoRA: round 1/4, accuracy 0.250, simulated 500 ms"


def test_what_is_only_replayed_says_nothing(plain):
    display, out = plain
    for number in range(1, 5):
        display.show(0, at(number, trained=0))
    assert out.getvalue() == ""


def test_time_left_is_rounds_to_do_at_the_pace_seen(plain, clock):
    display, _ = plain
    clock.now += 500  # loading; no part of the pace
    display.show(0, at(1))
    display.show(1, at(1))
    clock.now += 20
    display.show(1, at(2))
    display.show(0, at(2))
    # The pace: from the first round seen, three in 20 s by two workers. To do: 8 rounds.
    round_s = 2 * 20 / 3
    assert display._left_s() == pytest.approx(round_s * 8 / 2)
    display.end(0)
    display.end(1)
    # Only the third training is left, 4 rounds that one worker has to do alone.
    assert display._left_s() == pytest.approx(round_s * 4)
    display.end(2)
    assert display._left_s() is None


def test_replays_for_other_variants_do_not_lengthen_the_time_left(plain, clock):
    display, _ = plain
    display.show(0, at(1))
    clock.now += 10
    display.show(0, at(4))
    before = display._left_s()
    display.show(0, at(1, trained=4))
    assert display._left_s() == before


def test_notes_and_names_are_shown_as_they_are_but_for_control_characters(scenario, clock):
    path = scenario()
    path.write_text(path.read_text().replace("  head:", '  "[red]x[/red] \\e[31m\\a":'))
    out = io.StringIO()
    display = Display(Console(file=out, width=80), study.read(path).trainings(), 1)
    display.show(1, Progress(note="fetching [bold]things[/bold]\x1b[2J"))
    assert out.getvalue() == ("[red]x[/red] \\x1b[31m\\x07: fetching [bold]things[/bold]\\x1b[2J\n")


def test_live_view_keeps_a_line_a_training_within_80_columns(scenario, clock):
    path = scenario()
    path.write_text(path.read_text().replace("  head:", f"  {'long ' * 30}:"))
    found = study.read(path).trainings()
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    display = Display(console, found, workers=2)
    with display:
        display.show(0, Progress(note="loading data and model"))
        display.show(1, Progress(12, 4, 7000.0, 0.123, 1))
        clock.now += 400
        display.show(0, Progress(2, 4, 70_000.0, 0.123, 2))
        shown = [str(task.description) for task in display._bars.tasks]
        console.print(display._bars.get_renderable())
        display.end(0)
        display.say("LoRA is done")
    assert shown == ["all", "LoRA", "long long long long lon…"]
    text = out.getvalue()
    lines = [line for line in text.replace("\r", "\n").splitlines() if "simulated" in line]
    assert lines
    assert all("…" not in line.split("simulated")[1] for line in lines)
    assert "LoRA is done" in text
    assert "about" in text


def test_titles_tell_trainings_apart(scenario, tmp_path):
    path = scenario()
    assert titles(study.read(path).trainings()) == ["LoRA", "head", "FLASC"]
    seeds = study.read(path, ["training.seeds=[3, 4]"], ["head"]).trainings()
    assert titles(seeds) == ["head, seed 3", "head, seed 4"]
    ranks = (
        path.read_text()
        + "  rank:\n    r2: {training.lora.rank: 2}\n    r8: {training.lora.rank: 8}\n"
    )
    path.write_text(ranks)
    found = titles(study.read(path, (), ["LoRA"]).trainings())
    assert found == ["LoRA, fast, r2", "LoRA, fast, r8"]
