"""Local training of a cohort: the official style against the engines of flasc, alternately.

    python bench/training.py [--device cpu|cuda] [--runs 5] [--clients 4] [CASE ...]

The official style is that of the paper's public code: a deep copy of the model per client, clients
one after another, float32, LoRA by PEFT with torch's dropout, one synchronisation with the host per
step. Every engine gets the same clients (unequal, 5 to 40 examples) and start vector, and they run
alternately. First the deltas are compared with those of the reference (without dropout for the
official style, whose generator differs). Prints a Markdown table: examples per second as median,
minimum and maximum of the runs, the ratio to the official style in the same run (median, minimum
and maximum), and the arithmetic for real tokens as a share of the device's matrix product rate.
Then the time to sparsify and encode a message.

Cases: minilm (real weights and 20 Newsgroups, 128 tokens), minilm32 (32 tokens), gpt2-6x384 and
gpt2-small (random weights, 128 tokens), vit-b16 (random weights and images), smollm-135m (random
weights, a language model of SmolLM-135M's shape, 256 tokens).
"""

import copy
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np
import torch
from torch import nn
from transformers import (
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    ViTConfig,
    ViTForImageClassification,
)

from flasc import codec
from flasc.data.examples import Examples
from flasc.data.objective import IGNORED, NextToken, Objective, SingleLabel
from flasc.methods.top_k import top_k
from flasc.models import pretrained
from flasc.models.adapter import Adapter
from flasc.models.dropout import PlaceDropout
from flasc.models.settings import Lora
from flasc.tasks.twenty_newsgroups import Newsgroups
from flasc.training import client, settings as config
from flasc.training.client import Draw, Job, Trained, batches
from flasc.training.cohort import Cohort
from flasc.training.cohort.architectures import base_model
from flasc.training.cohort.lean_model import TokenHead
from flasc.training.cohort.merge import block_sites

SETTINGS = config.Client(lr=0.01)
Train = Callable[[list[Job], Examples], list[Trained]]


class Official:
    """Deep copies, one client after another, one host synchronisation per step; torch's dropout."""

    def __init__(self, adapter: Adapter) -> None:
        self.model = copy.deepcopy(adapter.model)
        for module in self.model.modules():
            for name, child in getattr(module, "lora_dropout", {}).items():
                if isinstance(child, PlaceDropout):
                    module.lora_dropout[name] = nn.Dropout(child.p)

    def train(self, jobs: list[Job], data: Examples, dropout: bool = True) -> list[Trained]:
        return [self._train(job, data, dropout) for job in jobs]

    def _train(self, job: Job, data: Examples, dropout: bool) -> Trained:
        local = copy.deepcopy(self.model)
        local.eval()
        for module in local.modules():
            if hasattr(module, "lora_dropout"):
                module.lora_dropout.train(dropout)
        trained = [p for p in local.parameters() if p.requires_grad]
        nn.utils.vector_to_parameters(job.start.clone(), trained)
        optimiser = torch.optim.SGD(trained, lr=SETTINGS.lr, momentum=SETTINGS.momentum)
        steps = 0
        for batch in batches(job.examples, SETTINGS, job.draw):
            inputs = data.batch(batch, job.start.device)
            optimiser.zero_grad()
            output = local(**inputs)
            output.loss.backward()
            optimiser.step()
            output.loss.item()
            if output.logits.dim() == 2:
                (output.logits.argmax(-1) == inputs["labels"]).sum().item()
            steps += 1
        return Trained(job.start - nn.utils.parameters_to_vector(trained).detach(), steps)


def texts(vocabulary: int, n: int, tokens: int, rng: np.random.Generator) -> Examples:
    """Random tokens with lengths as in 20 Newsgroups at 128 tokens: many shorter than the limit."""
    lengths = np.minimum(tokens, rng.integers(tokens // 4, 5 * tokens // 2, n))
    mask = np.arange(tokens) < lengths[:, None]
    ids = np.where(mask, rng.integers(0, vocabulary - 1, (n, tokens)), vocabulary - 1)
    return Examples({"input_ids": ids, "attention_mask": mask}, rng.integers(0, 20, n))


def gpt2(width: int, layers: int, heads: int) -> tuple[nn.Module, Examples]:
    settings = GPT2Config(n_embd=width, n_layer=layers, n_head=heads, num_labels=20)
    base = GPT2ForSequenceClassification(settings).eval()
    base.config.pad_token_id = settings.vocab_size - 1
    return base, texts(settings.vocab_size, 2000, 128, np.random.default_rng(0))


def vit() -> tuple[nn.Module, Examples]:
    rng = np.random.default_rng(0)
    images = rng.standard_normal((400, 3, 224, 224), dtype=np.float32)
    base = ViTForImageClassification(ViTConfig(num_labels=20)).eval()
    return base, Examples({"pixel_values": images}, rng.integers(0, 20, 400))


def smollm() -> tuple[nn.Module, Examples]:
    """SmolLM-135M's shape: 30 layers, 9 query and 3 key heads of 64, tied embeddings."""
    settings = LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=2048,
        tie_word_embeddings=True,
    )  # fmt: skip
    data = texts(settings.vocab_size, 500, 256, np.random.default_rng(0))
    features = data.features
    labels = np.where(features["attention_mask"], features["input_ids"], IGNORED)
    return LlamaForCausalLM(settings).eval(), Examples(features, labels)


def minilm(tokens: int) -> tuple[nn.Module, Examples]:
    task = Newsgroups(name="20newsgroups", tokens=tokens).load(0, None, print)
    return pretrained.pretrained(task.model, "text", len(task.classes), 0), task.train


CASES: dict[str, Callable[[], tuple[nn.Module, Examples]]] = {
    "minilm": lambda: minilm(128),
    "minilm32": lambda: minilm(32),
    "gpt2-6x384": lambda: gpt2(384, 6, 6),
    "gpt2-small": lambda: gpt2(768, 12, 12),
    "vit-b16": vit,
    "smollm-135m": smollm,
}
TARGETS = {"vit-b16": ["q_proj", "v_proj"], "smollm-135m": ["q_proj", "v_proj"]}


def peak(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large matrix product, best of several."""
    side = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    times = []
    for _ in range(8):
        began = clock(device)
        _ = a @ b
        times.append(clock(device) - began)
    return 2 * side**3 / min(times)


def clock(device: torch.device) -> float:
    """Seconds of process time on a CPU; of wall time on a GPU after a synchronisation."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def flop(adapter: Adapter, data: Examples, jobs: list[Job]) -> float:
    """FLOP of the frozen products on real tokens, forward and backward."""
    engine = Cohort(adapter, SETTINGS, "fp32", objective=objective(adapter))
    blocks: Any = engine._model.blocks
    weights = sum(
        p.weight.numel() for block in blocks for p in (block.qkv, block.out, block.up, block.down)
    )
    assert list(block_sites(engine._model))
    chosen = np.concatenate([job.examples for job in jobs])
    mask = data.features.get("attention_mask")
    tokens = 197 * len(chosen) if mask is None else int(mask[chosen].sum())
    head = engine._model.head
    if isinstance(head, TokenHead):  # a row's first token is no label
        return 4.0 * (weights * tokens + head.weight.numel() * (tokens - len(chosen)))
    return 4.0 * weights * tokens


def objective(adapter: Adapter) -> Objective:
    """The loss of a language model or a classifier."""
    return NextToken() if hasattr(base_model(adapter), "lm_head") else SingleLabel()


def clients(adapter: Adapter, data: Examples, count: int) -> list[Job]:
    """Jobs of unequal clients; the start vector differs from the initial one, so B is not zero."""
    rng = np.random.default_rng(1)
    start = adapter.read()
    noise = torch.from_numpy(rng.standard_normal(adapter.n, dtype=np.float32))
    start = start + 0.01 * noise.to(start.device)
    sizes = rng.integers(5, 41, count)
    order = rng.permutation(len(data))
    return [
        Job(start, held, None, Draw(0, 0, number))
        for number, held in enumerate(np.split(order, np.cumsum(sizes))[:count])
    ]


def difference(one: list[Trained], other: list[Trained]) -> float:
    """The largest relative difference of a client's deltas."""
    return max(
        float((a.delta - b.delta).norm() / b.delta.norm()) for a, b in zip(one, other, strict=True)
    )


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(CASES)))
@click.option("--device", default="cpu")
@click.option("--runs", default=5)
@click.option("--clients", "count", default=4)
@click.option("--without", multiple=True, help="An engine to leave out, like 'cohort bf16'.")
def main(
    names: tuple[str, ...], device: str, runs: int, count: int, without: tuple[str, ...]
) -> None:
    """Compare engines and precisions."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    where = torch.device(device)
    print("| case | engine | examples/s | min | max | ratio | of peak | difference |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in names or ("minilm", "minilm32", "gpt2-6x384"):
        measure(name, where, runs, count, without)
    sparsify()
    print(f"\npeak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    if where.type == "cuda":
        print(f"of the GPU: {torch.cuda.max_memory_allocated() / 1e6:.0f} MB")


def measure(
    name: str, device: torch.device, runs: int, count: int, without: tuple[str, ...] = ()
) -> None:
    base, data = CASES[name]()
    adapter = Adapter(base, Lora(rank=16, targets=TARGETS.get(name)), "adapter")
    aim = objective(adapter)
    adapter.model.to(device)
    jobs = clients(adapter, data, count)
    examples = sum(len(job.examples) for job in jobs)
    work = flop(adapter, data, jobs)
    official = Official(adapter)
    engines: dict[str, Train] = {"official": official.train}
    engines["reference"] = client.Reference(adapter, SETTINGS, aim).train
    precisions = ("fp32", "tf32", "bf16") if device.type == "cuda" else ("fp32", "bf16")
    for precision in precisions:
        engines[f"cohort {precision}"] = Cohort(adapter, SETTINGS, precision, objective=aim).train
    if device.type == "cpu":
        engines["cohort fp32, all clients in a batch"] = Cohort(
            adapter, SETTINGS, "fp32", 99, aim
        ).train
    engines = {label: train for label, train in engines.items() if label not in without}
    judge = engines["reference"](jobs, data)
    differences = {label: difference(train(jobs, data), judge) for label, train in engines.items()}
    differences.pop("official", None)
    times: dict[str, list[float]] = {label: [] for label in engines}
    for _ in range(runs):
        for label, train in engines.items():
            began = clock(device)
            train(jobs, data)
            times[label].append(clock(device) - began)
    for label, found in times.items():
        rates = sorted(examples / t for t in found)
        dtype = torch.bfloat16 if "bf16" in label else torch.float32
        share = work / statistics.median(found) / peak(device, dtype)
        off = f"{differences[label]:.1e}" if label in differences else ""
        ratios = sorted(a / b for a, b in zip(times["official"], found, strict=True))
        pairs = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(
            f"| {name} | {label} | {statistics.median(rates):.1f} | {rates[0]:.1f} "
            f"| {rates[-1]:.1f} | {pairs} | {share:.0%} | {off} |",
            flush=True,
        )


def sparsify(n: int = 2_400_000) -> None:
    """One client's message at the size of GPT-2 small, rank 16: CPU time, milliseconds."""
    vector = torch.from_numpy(np.random.default_rng(0).standard_normal(n, np.float32))
    cpu = torch.device("cpu")

    def timed(work: Callable[[], Any]) -> float:
        found = []
        for _ in range(5):
            began = clock(cpu)
            work()
            found.append(1e3 * (clock(cpu) - began))
        return statistics.median(found)

    print(f"\n| density, n = {n:,} | top-k, ms | encode | decode | size alone |")
    print("| --- | --- | --- | --- | --- |")
    for whole in (4, 16, 64, 256):
        mask = top_k(vector, n // whole)
        indices = np.flatnonzero(mask.numpy())
        values = vector.numpy()[indices]
        message = codec.encode(values, indices, n)
        works: list[Callable[[], Any]] = [
            lambda: top_k(vector, n // whole),  # noqa: B023  called at once
            lambda: codec.encode(values, indices, n),  # noqa: B023
            lambda: codec.decode(message, n=n).to_dense(),  # noqa: B023
            lambda: codec.size(indices, n, wire="auto", dtype="fp32"),  # noqa: B023
        ]
        print(f"| 1/{whole} | " + " | ".join(f"{timed(work):.1f}" for work in works) + " |")


if __name__ == "__main__":
    main()
