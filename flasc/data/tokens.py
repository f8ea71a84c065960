"""Texts as token ids, cached on disk because tokenising takes longer than a round of training."""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from flasc.assets.cache import cache_folder
from flasc.assets.packages import Notify
from flasc.common.errors import AssetError, ModelError

# The files of a model folder that can affect its tokenizer.
TOKENIZER_FILES = (
    "added_tokens.json", "config.json", "merges.txt", "special_tokens_map.json", "tokenizer.json",
    "tokenizer.model", "tokenizer_config.json", "vocab.json", "vocab.txt",
)  # fmt: skip

# A tokenizer has one of these.
VOCABULARIES = (
    "tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json", "spiece.model",
    "sentencepiece.bpe.model", "tekken.json", "spm.model",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tokens:
    """`input_ids` int32 [n, length], padded on the right; `attention_mask` bool [n, length]."""

    input_ids: npt.NDArray[np.int32]
    attention_mask: npt.NDArray[np.bool_]

    @property
    def features(self) -> dict[str, npt.NDArray[Any]]:
        """Both arrays by the model's argument names."""
        return {"input_ids": self.input_ids, "attention_mask": self.attention_mask}

    def take(self, rows: npt.NDArray[np.int64]) -> "Tokens":
        """The tokens of the texts at `rows` (int64 [k]), in that order."""
        return Tokens(self.input_ids[rows], self.attention_mask[rows])


def encode(
    texts: Sequence[str],
    model_folder: Path,
    length: int,
    cache: Path | None = None,
    notify: Notify = lambda _: None,
) -> Tokens:
    """The tokens of `texts` by the fast tokenizer of the model, cut and padded to `length`.

    A tokenizer without a pad token (GPT-2) pads with its end-of-text token. The result is kept in
    `cache` (None: the asset cache) under the SHA-256 of texts, tokenizer and length; a damaged file
    is replaced. `notify` is called before the work starts. Raises ModelError if the folder has no
    usable tokenizer or it or the model does not allow `length`, AssetError if the cache is not
    writable.
    """
    most = positions(model_folder)
    if most is not None and length > most:
        raise ModelError(
            f"found a length of {length} tokens; the model in {model_folder} has {most} positions",
            f"set task.tokens to {most} or less",
        )
    path = cache_folder(cache) / "tokens" / f"{_key(texts, model_folder, length)}.safetensors"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            tokens = _load(path, (len(texts), length))
            if tokens is None:
                notify(f"tokenising {len(texts)} texts")
                tokens = _tokenise(texts, model_folder, length)
                _save(path, tokens)
    except OSError as error:
        raise AssetError(
            f"cannot keep tokens in {path.parent}: {error}",
            "set FLASC_EMU_CACHE to a folder that can be written to",
        ) from error
    return tokens


def positions(model_folder: Path) -> int | None:
    """The length up to which the model has embeddings of positions; None without such a limit."""
    try:
        config = json.loads((model_folder / "config.json").read_text("utf-8"))
        rotary = any(key.startswith("rope") for key in config)  # computes any position
        found = config.get("max_position_embeddings", config.get("n_positions"))
    except (OSError, ValueError, AttributeError):
        return None  # loading the model reports it
    return found if isinstance(found, int) and found > 0 and not rotary else None


def _key(texts: Sequence[str], model_folder: Path, length: int) -> str:
    digest = hashlib.sha256()

    def add(part: bytes) -> None:
        digest.update(len(part).to_bytes(8, "little") + part)

    for package in ("transformers", "tokenizers"):
        add(version(package).encode())
    add(str(length).encode())
    for name in TOKENIZER_FILES:
        path = model_folder / name
        add(name.encode())
        add(path.read_bytes() if path.is_file() else b"")
    for text in texts:
        add(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def pad_token(model_folder: Path) -> int | None:
    """The id that `encode` pads with; None if the folder has no usable tokenizer."""
    try:
        return int(tokenizer_of(model_folder).pad_token_id)
    except ModelError:
        return None


def tokenizer_of(model_folder: Path) -> Any:
    """The fast tokenizer of a model, with a pad token. Raises ModelError."""
    from transformers import AutoTokenizer

    # Without these files transformers makes an empty tokenizer, by which all texts are equal.
    if not any((model_folder / name).is_file() for name in VOCABULARIES):
        raise ModelError(
            f"found no tokenizer in {model_folder}", f"allowed: a folder with {VOCABULARIES[0]}"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            model_folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # the folder's files decide which error is raised
        raise ModelError(
            f"found no tokenizer in {model_folder}: {error}",
            "the folder needs tokenizer.json and tokenizer_config.json",
        ) from error
    if not tokenizer.is_fast:
        raise ModelError(f"the tokenizer in {model_folder} is slow; a fast tokenizer is needed")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token is None:
        raise ModelError(f"the tokenizer in {model_folder} has neither a pad nor an end token")
    return tokenizer


def _tokenise(texts: Sequence[str], model_folder: Path, length: int) -> Tokens:
    tokenizer = tokenizer_of(model_folder)
    shortest = tokenizer.num_special_tokens_to_add() + 1
    if not shortest <= length <= tokenizer.model_max_length:
        raise ModelError(
            f"found a length of {length} tokens; this tokenizer allows {shortest} to "
            f"{tokenizer.model_max_length}"
        )
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    if not texts:
        return Tokens(np.empty((0, length), np.int32), np.empty((0, length), np.bool_))
    batch = tokenizer(
        list(texts),
        truncation=True,
        max_length=length,
        padding="max_length",
        return_attention_mask=True,
        return_tensors="np",
    )
    return Tokens(batch["input_ids"].astype(np.int32), batch["attention_mask"].astype(np.bool_))


def _digest(tokens: Tokens) -> str:
    return hashlib.sha256(tokens.input_ids.tobytes() + tokens.attention_mask.tobytes()).hexdigest()


def _load(path: Path, shape: tuple[int, int]) -> Tokens | None:
    try:
        with safe_open(path, framework="np") as file:
            tokens = Tokens(file.get_tensor("input_ids"), file.get_tensor("attention_mask"))
            intact = (file.metadata() or {}).get("sha256") == _digest(tokens)
    except (OSError, SafetensorError):
        return None
    return tokens if intact and tokens.input_ids.shape == shape else None


def _save(path: Path, tokens: Tokens) -> None:
    content = save(tokens.features, metadata={"sha256": _digest(tokens)})
    # Renamed when complete: a process that dies while writing leaves no partial file.
    with tempfile.TemporaryDirectory(prefix="partial-", dir=path.parent) as temp:
        fresh = Path(temp) / path.name
        fresh.write_bytes(content)
        fresh.replace(path)
