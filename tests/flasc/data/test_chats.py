"""Prompts and answers as tokens: what is learned is the answer and its end."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from flasc.common.errors import AssetError, ModelError
from flasc.data import chats
from flasc.data.chats import Chat
from flasc.data.objective import IGNORED, ExactMatch

TEMPLATE = (
    "{% for m in messages %}{{ '[' + m['role'] + ']' + m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
ASKED = [
    Chat((("user", "the cat"), ("assistant", "sat"))),
    Chat((("system", "be good"), ("user", "two dogs"), ("assistant", "run past it"))),
]


def with_template(folder, template=TEMPLATE):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return tokenizer


def learned(examples, row, tokenizer):
    kept = examples.labels[row][examples.labels[row] != IGNORED]
    return tokenizer.decode(kept)


def test_without_a_template_the_prompt_is_a_line(models):
    folder = models("gpt2")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    end = tokenizer.eos_token
    examples, kept = chats.encode(ASKED, folder, 40, "auto")
    assert kept == [0, 1]
    for row, (asked, answer) in enumerate(
        [("the cat", "sat"), ("be good\ntwo dogs", "run past it")]
    ):
        ids = examples.features["input_ids"][row][examples.features["attention_mask"][row]]
        assert tokenizer.decode(ids).removeprefix(end) == f"{asked}\n{answer}{end}"
        assert learned(examples, row, tokenizer) == answer + end


def test_a_template_is_that_of_generation(models):
    folder = models("gpt2")
    tokenizer = with_template(folder)
    examples, _ = chats.encode(ASKED, folder, 120, "auto")
    for row, chat in enumerate(ASKED):
        messages = [{"role": role, "content": said} for role, said in chat.messages]
        prompt = tokenizer.apply_chat_template(
            messages[:-1], add_generation_prompt=True, tokenize=False
        )
        ids, labels = examples.features["input_ids"][row], examples.labels[row]
        begins = np.flatnonzero(labels != IGNORED)[0]
        assert ids[:begins].tolist() == tokenizer(prompt, add_special_tokens=False)["input_ids"]
        assert learned(examples, row, tokenizer) == chat.answer + tokenizer.eos_token
    plain, _ = chats.encode(ASKED, folder, 120, "plain")
    assert "[user]" not in tokenizer.decode(plain.features["input_ids"][0])


def test_long_answers_are_cut_and_prompts_without_room_left_out(models):
    folder = models("gpt2")
    whole, _ = chats.encode(ASKED, folder, 60, "plain")
    lengths = (whole.labels != IGNORED).sum(1), whole.features["attention_mask"].sum(1)
    prompt = int((lengths[1] - lengths[0])[1])
    examples, kept = chats.encode(ASKED, folder, prompt + 1, "plain")
    assert (examples.labels[kept.index(1)] != IGNORED).sum() == 1
    examples, kept = chats.encode(ASKED, folder, prompt, "plain")
    assert 1 not in kept
    assert len(examples) == len(kept)


def test_what_a_template_refuses_is_said(models):
    folder = models("gpt2")
    with pytest.raises(ModelError, match="has no chat template"):
        chats.encode(ASKED, folder, 40, "chat")
    with_template(folder, "{{ raise_exception('no system role') }}")
    with pytest.raises(ModelError, match="refuses a chat: no system role"):
        chats.encode(ASKED, folder, 40, "chat")
    with_template(folder, "{{ messages | length }}{{ messages[-1]['content'] }}")
    with pytest.raises(ModelError, match="changes a prompt"):
        chats.encode(ASKED, folder, 40, "chat")


@pytest.mark.parametrize(
    "messages",
    [None, "hi", [], [{"role": "user"}], [{"role": "user", "content": "x"}],
     [{"role": "robot", "content": "x"}, {"role": "assistant", "content": "y"}]],
)  # fmt: skip
def test_chats_that_are_none(messages):
    with pytest.raises(AssetError, match=r"a\.jsonl, row 3: found"):
        chats.chat(messages, "a.jsonl, row 3")


def test_an_exact_match_is_what_greedy_generation_gives(models):
    """The metric needs no generation: against that of transformers, by a model that knows some."""
    folder = models("gpt2")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    known = [Chat((("user", word), ("assistant", word))) for word in ("cat", "mat", "dogs", "time")]
    examples, _ = chats.encode(known, folder, 24, "plain")
    batch = examples.batch(np.arange(len(known)), torch.device("cpu"))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    half = {name: tensor[:2] for name, tensor in batch.items()}
    for _ in range(60):
        optimiser.zero_grad()
        model(**half).loss.backward()
        optimiser.step()
    model.eval()
    generated = []
    for row in range(len(known)):
        begins = int(np.flatnonzero(examples.labels[row] != IGNORED)[0])
        answer = examples.labels[row][examples.labels[row] != IGNORED]
        ids = batch["input_ids"][row : row + 1, :begins].long()
        said = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False,
            max_new_tokens=len(answer), pad_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
        generated.append(said[0, begins:].tolist() == answer.tolist())
    assert any(generated)
    assert not all(generated)
    with torch.inference_mode():
        labels = batch.pop("labels")
        tally = ExactMatch().tally(model(**batch).logits, labels)
    assert tally.tolist() == [[sum(generated), len(known)]]
