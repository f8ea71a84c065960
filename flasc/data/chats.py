"""Prompts and answers as tokens, of which the answers alone are learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from flasc.common.errors import AssetError, ModelError
from flasc.data.examples import Examples
from flasc.data.objective import IGNORED
from flasc.data.tokens import positions, tokenizer_of

Template = Literal["auto", "chat", "plain"]
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Chat:
    """Messages (role, content); the last one is the answer."""

    messages: tuple[tuple[str, str], ...]

    @property
    def answer(self) -> str:
        """What the model is to say."""
        return self.messages[-1][1]


def chat(messages: Any, where: str) -> Chat:
    """A chat from a list of {role, content} that ends with the assistant. Raises AssetError."""
    allowed = (
        f"a list of objects with role ({', '.join(ROLES)}) and content, the last an assistant's"
    )
    try:
        found = tuple((str(each["role"]), str(each["content"])) for each in messages)
    except (TypeError, KeyError) as error:
        raise AssetError(f"{where}: found {str(messages)[:60]!r}; allowed: {allowed}") from error
    if not found or found[-1][0] != "assistant" or {role for role, _ in found} - set(ROLES):
        raise AssetError(f"{where}: found roles {[role for role, _ in found]}; allowed: {allowed}")
    return Chat(found)


def encode(
    chats: Sequence[Chat], model_folder: Path, length: int, template: Template
) -> tuple[Examples, list[int]]:
    """Examples of the chats that leave room for an answer, and their indices in `chats`.

    `input_ids` int32 [n, length] are cut and padded on the right, `attention_mask` is bool [n,
    length]; labels int64 [n, length] are the answer's tokens and its end, IGNORED elsewhere. Prompt
    and answer are tokenised apart, so that the prompt is that of generation. `chat` is the
    tokenizer's own template, `plain` the prompt, a line break, the answer and the end token; `auto`
    is `chat` if there is one. Raises ModelError.
    """
    most = positions(model_folder)
    if most is not None and length > most:
        raise ModelError(
            f"found a length of {length} tokens; the model in {model_folder} has {most} positions",
            f"set task.tokens to {most} or less",
        )
    tokenizer = tokenizer_of(model_folder)
    has_template = bool(getattr(tokenizer, "chat_template", None))
    if template == "chat" and not has_template:
        raise ModelError(
            f"the tokenizer in {model_folder} has no chat template",
            "set task.template to plain or auto, or choose an instruction model",
        )
    build = _by_template if template != "plain" and has_template else _plain
    ids = np.full((len(chats), length), tokenizer.pad_token_id, np.int32)
    mask = np.zeros((len(chats), length), np.bool_)
    labels = np.full((len(chats), length), IGNORED, np.int64)
    kept = []
    for row, each in enumerate(chats):
        prompt, answer = build(tokenizer, each)
        whole = [*prompt, *answer][:length]
        # A prompt without a token before the answer leaves nothing to predict its first one from.
        if not 0 < len(prompt) < length or not answer:
            continue
        kept.append(row)
        ids[row, : len(whole)] = whole
        mask[row, : len(whole)] = True
        labels[row, len(prompt) : len(whole)] = whole[len(prompt) :]
    features = {"input_ids": ids[kept], "attention_mask": mask[kept]}
    return Examples(features, labels[kept]), kept


def _by_template(tokenizer: Any, each: Chat) -> tuple[list[int], list[int]]:
    """By the tokenizer's template, which transformers runs in a sandbox. Raises ModelError."""
    messages = [{"role": role, "content": content} for role, content in each.messages]
    try:
        prompt, whole = (
            tokenizer.apply_chat_template(these, tokenize=False, add_generation_prompt=begins)
            for these, begins in ((messages[:-1], True), (messages, False))
        )
    except Exception as error:  # the template decides which error is raised
        raise ModelError(
            f"the chat template of the tokenizer refuses a chat: {error}",
            "set task.template to plain, or leave out what it refuses",
        ) from error
    if not whole.startswith(prompt):
        raise ModelError(
            "the chat template of the tokenizer changes a prompt when its answer is known",
            "set task.template to plain",
        )
    return _ids(tokenizer, prompt), _ids(tokenizer, whole[len(prompt) :])


def _plain(tokenizer: Any, each: Chat) -> tuple[list[int], list[int]]:
    prompt = "\n".join(content for _, content in each.messages[:-1])
    begins = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    ends = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    return begins + _ids(tokenizer, prompt + "\n"), _ids(tokenizer, each.answer) + ends


def _ids(tokenizer: Any, text: str) -> list[int]:
    found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return found
