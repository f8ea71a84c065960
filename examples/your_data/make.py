"""Makes tables and a small model to try docs/howto/use_your_own_data.md with.

python examples/your_data/make.py FOLDER

reviews.csv: 1,000 texts of random words with a kind and an author. questions.jsonl: 200 prompts and
answers. tiny_llama: a Llama of random weights, trained for half a minute on texts of the same kind,
with a tokenizer and a chat template. Nothing is downloaded.
"""

import csv
import json
import random
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

KINDS = {
    "sport": ["ball", "team", "game", "goal", "match", "player", "win", "coach"],
    "food": ["bread", "soup", "cook", "taste", "oven", "salt", "meal", "plate"],
    "tech": ["chip", "code", "disk", "server", "cloud", "bug", "byte", "screen"],
}
COMMON = [
    "the",
    "a",
    "of",
    "and",
    "to",
    "in",
    "it",
    "is",
    "on",
    "for",
    "with",
    "this",
    "that",
    "we",
    "they",
    "today",
]
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
COLOURS = ["red", "green", "blue", "white", "black", "yellow"]
TEMPLATE = (
    "{% for m in messages %}{{ '<' + m['role'] + '> ' + m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


def reviews(draw: random.Random) -> list[tuple[str, str, str]]:
    """Texts with a third of words that tell their kind, by 40 authors."""
    rows = []
    for _ in range(1000):
        kind = draw.choice([*KINDS])
        words = (draw.choice(KINDS[kind] if draw.random() < 1 / 3 else COMMON) for _ in range(14))
        rows.append((" ".join(words), kind, f"author {draw.randrange(40)}"))
    return rows


def questions(draw: random.Random, count: int) -> list[dict[str, str]]:
    """Prompts that name what is to be said."""
    rows = []
    for number in range(count):
        said = f"{draw.choice(NUMBERS)} {draw.choice(COLOURS)} {draw.choice(KINDS['food'])}"
        rows.append({"prompt": f"say {said}", "answer": said, "user": f"user {number % 20}"})
    return rows


def tokenizer_of(texts: list[str]) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer with a chat template."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def tiny_llama(tokenizer: PreTrainedTokenizerFast, draw: random.Random) -> LlamaForCausalLM:
    """A Llama that has seen such words in any order, and no question with its own answer."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=400, hidden_size=96, intermediate_size=192, num_hidden_layers=3,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
            bos_token_id=0, eos_token_id=1, pad_token_id=2,
        )
    )  # fmt: skip
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        asked, other = questions(draw, 16), questions(draw, 16)
        chats = [
            [
                {"role": "user", "content": a["prompt"]},
                {"role": "assistant", "content": b["answer"]},
            ]
            for a, b in zip(asked, other, strict=True)
        ]
        texts = tokenizer.apply_chat_template(chats, tokenize=False)
        batch = tokenizer(texts, padding=True, return_tensors="pt", add_special_tokens=False)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        optimiser.zero_grad()
        model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels
        ).loss.backward()
        optimiser.step()
    return model


def main(folder: Path) -> None:
    """Write everything to `folder`."""
    draw = random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("review", "kind", "author"), *reviews(draw)])
    rows = questions(draw, 200)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "questions.jsonl").write_text(lines, encoding="utf-8")
    tokenizer = tokenizer_of([f"{row['prompt']} {row['answer']}" for row in rows])
    tokenizer.save_pretrained(folder / "tiny_llama")
    tiny_llama(tokenizer, draw).save_pretrained(folder / "tiny_llama")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
