"""Small models, and small files in the formats that tasks are loaded from."""

import csv
import dataclasses
import gzip
import json

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import GPT2Config, GPT2LMHeadModel, ViTConfig, ViTModel
from transformers.utils import logging

from flasc.common.settings import Wire
from flasc.data import friends, newsgroups_raw
from flasc.data.examples import Examples
from flasc.models import pretraining
from flasc.models.settings import Lora
from flasc.tasks.base import Task
from flasc.tasks.twenty_newsgroups import Newsgroups
from flasc.training import settings as config
from flasc.training.trainer import Trainer

CLASSES, VOCABULARY, LENGTH = 4, 60, 12


def _examples(n, rng):
    """Sequences whose first token gives the class away."""
    labels = rng.integers(0, CLASSES, n)
    ids = rng.integers(CLASSES, VOCABULARY, (n, LENGTH))
    ids[:, 0] = labels
    mask = np.ones((n, LENGTH), np.int64)
    return Examples({"input_ids": ids, "attention_mask": mask}, labels)


def _save(folder, model):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        logging.disable_progress_bar()
        model().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    """A small BERT with random weights, as a folder that transformers loads."""
    from transformers import BertConfig, BertModel

    settings = BertConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=48, max_position_embeddings=LENGTH,
    )  # fmt: skip
    return _save(tmp_path_factory.mktemp("bert"), lambda: BertModel(settings))


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory):
    """A small GPT-2 with random weights."""
    from transformers import GPT2Config, GPT2Model

    settings = GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=2, n_positions=LENGTH,
        eos_token_id=VOCABULARY - 1, bos_token_id=VOCABULARY - 1,
    )  # fmt: skip
    return _save(tmp_path_factory.mktemp("gpt2"), lambda: GPT2Model(settings))


@pytest.fixture(scope="session")
def task(bert):
    """Unequal clients, one of them with nothing, over a task that can be learned."""
    rng = np.random.default_rng(0)
    train = _examples(150, rng)
    cuts = np.cumsum([5, 33, 16, 0, 40, 17])
    return Task(
        edition="made up",
        train=train,
        validation=_examples(60, rng),
        test=_examples(40, rng),
        clients=np.split(rng.permutation(150), cuts),
        classes=[f"class {i}" for i in range(CLASSES)],
        model=bert,
    )


@pytest.fixture
def make(task):
    """A real trainer over the small task, from a method's settings."""

    def build(method, **keys):
        method = {"kind": method} if isinstance(method, str) else method
        settings = config.TrainingSettings.model_validate(
            {
                "seed": 0,
                "task": Newsgroups(name="20newsgroups", clients=len(task.clients)),
                "lora": Lora(rank=4),
                "client": config.Client(lr=0.05),
                "server": config.AdamW(lr=0.01),
                "wire": Wire(),
                "method": _method(method),
                "evaluation_examples": None,
                **keys,
            }
        )
        return Trainer(settings, dataclasses.replace(task), torch.device("cpu"))

    return build


def _method(keys):
    from pydantic import TypeAdapter

    return TypeAdapter(config.Method).validate_python(keys)


WORDS = (
    "the", "cat", "sat", "on", "a", "mat", "and", "saw",
    "two", "dogs", "run", "past", "it", "in", "good", "time",
)  # fmt: skip


def sentence(rng, words=6):
    return " ".join(rng.choice(WORDS, words))


def write_idx(path, array, packed=False):
    header = b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">u4").tobytes()
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if packed else content)


@pytest.fixture
def garments(tmp_path, monkeypatch):
    """Fashion-MNIST with 400 training pictures: a bright square whose place is the class."""
    rng, folder = np.random.default_rng(0), tmp_path / "fashion"
    folder.mkdir()
    for prefix, n in (("train", 400), ("t10k", 60)):
        labels = rng.integers(0, 10, n)
        pixels = rng.integers(0, 60, (n, 28, 28))
        for picture, label in zip(pixels, labels, strict=True):
            row, column = divmod(label, 4)
            picture[8 * row : 8 * row + 7, 7 * column : 7 * column + 7] += 180
        write_idx(folder / f"{prefix}-images-idx3-ubyte", pixels)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)
    for module in ("tasks.fashion_mnist", "tasks.fashion_scenes", "models.pretraining"):
        monkeypatch.setattr(f"flasc.{module}.locate", lambda name, **_: folder)
    return folder


@pytest.fixture
def transcripts(tmp_path, monkeypatch):
    """friends-transcripts.tab with the leads and 30 others, 1 to 9 lines each."""
    rng, folder = np.random.default_rng(0), tmp_path / "friends"
    folder.mkdir()
    columns = "Season\tEpisode\tSeason & Episode\tTitle\tAuthor\tQuote\n"
    rows = [columns, "d\td\td\td\td\tstring\n", "\t\t\t\t\tinclude=True\n", "\n"]
    for speaker in [*sorted(friends.LEADS), *(f"Guest {i}" for i in range(30))]:
        n = 20 if speaker in friends.LEADS else 1 + rng.integers(9)
        rows += [f'01\t02\t0102\tTitle\t{speaker}\t {sentence(rng)} "\n'.replace('"', ".")] * n
    rows.append("01\t02\t0102\tTitle\tGuest 0\t\n")
    (folder / "friends-transcripts.tab").write_text("".join(rows))
    for module in ("tasks.friends", "models.pretraining"):
        monkeypatch.setattr(f"flasc.{module}.locate", lambda name, **_: folder)
    return folder


@pytest.fixture
def comments(tmp_path):
    """JSON Lines of 21 authors in two files; a deleted account and a deleted comment among them."""
    rng, folder = np.random.default_rng(0), tmp_path / "reddit"
    folder.mkdir()
    rows = [{"author": f"u{i * i % 41}", "body": sentence(rng), "score": 1} for i in range(150)]
    rows += [{"author": "[deleted]", "body": "gone"}, {"author": "u1", "body": "[removed]"}]
    for name, part in (("a", rows[:70]), ("b", rows[70:])):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        (folder / f"{name}.jsonl").write_text(text)
    return folder


@pytest.fixture
def letters(tmp_path):
    """A CSV file of 20 authors, whose texts begin with their label."""
    rng, path = np.random.default_rng(0), tmp_path / "letters.csv"
    rows = [("body", "kind", "author")]
    for i in range(120):
        kind = WORDS[i % 3]
        rows.append((f'{kind}, "{sentence(rng)}"\nand so on', kind, f"u{i % 20}"))
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def questions(tmp_path):
    """JSON Lines with 120 prompts of two columns, answered by a word of theirs."""
    rng, path = np.random.default_rng(0), tmp_path / "questions.jsonl"
    rows = []
    for i in range(120):
        said = sentence(rng, 3)
        answer = said.split()[0]
        rows.append({"ask": "say", "about": said, "reply": answer, "user": i % 20})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def cifar(tmp_path):
    """The binary version with 10 pictures a batch: the later its class, the redder it is."""
    rng, folder = np.random.default_rng(0), tmp_path / "cifar"
    folder.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        records = rng.integers(0, 40, (10, 3073), np.uint8)
        records[:, 0] = rng.permutation(10)
        records[:, 1:1025] += 20 * records[:, :1]
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return folder


@pytest.fixture
def flickr(tmp_path):
    """FLAIR's folder: 24 users with 1 to 4 photographs, 17 labels, three partitions."""
    rng, folder = np.random.default_rng(0), tmp_path / "flair"
    (folder / "small_images").mkdir(parents=True)
    names = [f"label {i:02}" for i in range(17)]
    rows = []
    for user in range(24):
        for _ in range(1 + rng.integers(4)):
            image = str(1000 + len(rows))
            labels = [names[len(rows) % 17], *rng.choice(names, 2)]
            rows.append(
                {
                    "user_id": f"{user}@N00", "image_id": image, "labels": sorted(set(labels)),
                    "fine_grained_labels": ["x"],
                    "partition": "train" if user < 16 else "val" if user < 20 else "test",
                }
            )  # fmt: skip
            size = tuple(rng.integers(20, 40, 2))
            pixels = rng.integers(0, 256, (*size, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "small_images" / f"{image}.jpg")
    (folder / "labels_and_metadata.json").write_text(json.dumps(rows))
    return folder


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """20news-bydate with 20 classes of 5 and 2 documents, not all of them ASCII."""
    rng, folder = np.random.default_rng(0), tmp_path / "news"
    for split, n in (("train", 5), ("test", 2)):
        for c in range(20):
            group = folder / f"20news-bydate-{split}" / f"group.{c:02}"
            group.mkdir(parents=True)
            for i in range(n):
                text = f"From: me@here\nSubject: {sentence(rng)}\n\n> caf\xe9 {split} {c} {i}\n"
                (group / str(i)).write_bytes(text.encode("latin-1"))
    monkeypatch.setattr(newsgroups_raw, "DOCUMENTS", {"train": 100, "test": 40})
    return folder


def save(model, folder):
    model.save_pretrained(str(folder))
    return folder


def small_vit(folder, side, channels):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        shape = ViTConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
            image_size=side, patch_size=side // 4, num_channels=channels,
        )  # fmt: skip
        return save(ViTModel(shape, add_pooling_layer=False), folder)


def small_gpt2(folder):
    """With a byte-level tokenizer of its own."""
    folder.mkdir()
    end = pretraining._save_tokenizer([" ".join(WORDS)] * 3, folder)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        shape = GPT2Config(
            vocab_size=pretraining.VOCABULARY, n_embd=16, n_layer=1, n_head=2, n_positions=128,
            bos_token_id=end, eos_token_id=end,
        )  # fmt: skip
        return save(GPT2LMHeadModel(shape), folder)


@pytest.fixture
def models(tmp_path):
    """Folders of small models by kind, made when they are asked for."""

    def make(kind):
        folder = tmp_path / kind.replace(" ", "-")
        if folder.exists():
            return folder
        if kind == "gpt2":
            return small_gpt2(folder)
        return small_vit(folder, 28 if kind == "vit grey" else 32, 1 if kind == "vit grey" else 3)

    return make
