"""The README.md of a trained model: what was trained, and what the simulations of it show.

The front matter is that of model cards on the Hugging Face hub
(https://huggingface.co/docs/hub/model-cards). Numbers are those of the report of the run.
"""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from emulator.common.text import counted
from emulator.common.units import format_duration, format_size
from emulator.reports.run_report import goal, printable
from emulator.results.metadata import RunMetadata
from emulator.results.metrics import Outcome, Spread, summarise
from emulator.simulation.target import MEANING

NEVER = "never"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model and its training. `base` is the name of the pretrained model, never a local path.

    `library` loads the model: peft, transformers or '' if that is unknown. `adapter` is the type
    of a PEFT adapter, like 'lora', or ''. `recording` and `state` are the ids of the recording
    and of the state of the training that the model is of.
    """

    method: str
    seed: int
    task: str
    base: str
    library: str
    adapter: str
    recording: str
    state: str


def card(model: TrainedModel, meta: RunMetadata, outcomes: Sequence[Outcome], version: str) -> str:
    """Return the card as Markdown.

    `outcomes` are those of the model's method with all seeds, under the variants that its training
    was simulated in; `version` is that of flasc-emu.
    """
    front = yaml.safe_dump(front_matter(model), sort_keys=False, allow_unicode=True)
    title = f"# {_cell(model.method)} on {_cell(model.task)}, seed {model.seed}"
    kind = "PEFT adapter" if model.library == "peft" else "model"
    about = (
        f"This {kind} was trained by federated learning. The training is real; flasc-emu {version} "
        "simulated the times below. The folder has the model as it was evaluated last."
    )
    facts = _table(["", ""], facts_of(model, meta, outcomes))
    parts = [f"---\n{front}---", title, about, facts, *_results(model, meta, outcomes)]
    parts += [f"{_cell(text)}." for text in _warnings(meta, outcomes)]
    return "\n\n".join(parts) + "\n"


def front_matter(model: TrainedModel) -> dict[str, Any]:
    """Return the metadata of the card, without what is not known."""
    is_peft = model.library == "peft"
    tags = [f"base_model:adapter:{model.base}"] if is_peft and model.base else []
    tags += [each for each in (model.adapter, "federated-learning", "flasc-emu") if each]
    found = {"base_model": model.base, "library_name": model.library, "tags": tags}
    return {name: value for name, value in found.items() if value}


def facts_of(
    model: TrainedModel, meta: RunMetadata, outcomes: Sequence[Outcome]
) -> Iterator[tuple[str, str]]:
    """Yield the rows of the first table: name and text."""
    yield "Method", model.method
    yield "Scenario", meta.name
    yield "Task", model.task
    yield "Base model", model.base or "not known"
    yield "Seed", str(model.seed)
    yield "Networks", ", ".join(dict.fromkeys(each.variant for each in outcomes))
    yield "Recording", model.recording
    yield "State", model.state


def _results(model: TrainedModel, meta: RunMetadata, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the section about the simulations; nothing without any of this seed."""
    by_variant: dict[str, list[Outcome]] = {}
    for each in outcomes:
        by_variant.setdefault(each.variant, []).append(each)
    own: dict[str, Outcome] = {}  # with draws of the fleet, the first one
    for each in outcomes:
        if each.seed == model.seed:
            own.setdefault(each.variant, each)
    if not own:
        return
    metric = printable(meta.metric)
    yield "## Results"
    if meta.goal:
        measured = f"{printable(meta.split)}, {MEANING[meta.goal.rule]}"
        yield (
            f"Time and bytes are those until {_cell(goal(meta.goal, metric))} ({_cell(measured)}), "
            f"or '{NEVER}' if it was not reached. Bytes are those of all clients."
        )
    else:
        yield "There was no target. Time and bytes are those of the whole run, of all clients."
    head = [
        "network", f"time, seed {model.seed}", "time, all seeds",
        "seeds that reached it" if meta.goal else "seeds", "bytes down", "bytes up",
        f"last {metric}",
    ]  # fmt: skip
    rows = [_row(own[variant], by_variant[variant]) for variant in own]
    yield _table(head, rows)


def _warnings(meta: RunMetadata, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield what a reader of the results must know."""
    runs = len(meta.seeds) * len(meta.network_seeds or [None])
    due = runs * len({each.variant for each in outcomes})
    if lacking := max(due - len(outcomes), 0):
        yield f"Incomplete: {lacking} of {counted(due, 'simulation')} of this method are missing"
    if meta.failure:
        yield f"Some trainings or simulations of this run failed: {meta.failure}"
    if meta.remark:
        yield f"Remark: {meta.remark}"


def _row(own: Outcome, every: Sequence[Outcome]) -> list[str]:
    """One network: the outcome of the model's seed, and times over all seeds."""
    summary = summarise(every)
    if own.target is None:
        time_s: float | None = own.duration_s
        sent: tuple[float | None, float | None] = (own.bytes_down, own.bytes_up)
        times, seeds = summary.duration_s, str(len(every))
    else:
        time_s, sent = own.time_to_target_s, (own.bytes_down_to_target, own.bytes_up_to_target)
        times, seeds = summary.time_to_target_s, f"{summary.reached} of {len(every)}"
    last = "not measured" if own.final_accuracy is None else f"{own.final_accuracy:.3f}"
    down, up = (NEVER if nbytes is None else format_size(nbytes) for nbytes in sent)
    return [own.variant, _time(time_s), _times(times), seeds, down, up, last]


def _time(seconds: float | None) -> str:
    return NEVER if seconds is None else format_duration(seconds)


def _times(found: Spread) -> str:
    """The median over seeds, with minimum and maximum if they differ."""
    low, median, high = map(_time, found)
    return f"median {median}" + ("" if low == high else f", {low} to {high}")


def _table(head: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    """Text of a user as Markdown shows it: in one line, without markup."""
    marked = html.escape(printable(text), quote=False)
    return "".join(f"\\{c}" if c in "\\|*_`[]#" else c for c in marked)
