"""What a model folder tells without its weights being loaded. Torch-free.

Training would find the same, but only after the texts are tokenised.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flasc.data.tokens import VOCABULARIES
from flasc.models.lora_targets import lora_targets
from flasc.models.settings import Head, Lora, Scope

_MAX_HEADER = 100_000_000  # of a safetensors file, bytes, as its library allows
ALLOWED_BODIES = "an encoder alone, like BERT, or a decoder alone, like GPT-2"
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a model cannot be trained: the key of the scenario, what was found, what is allowed."""

    key: str
    found: str
    allowed: str


class _UnusableError(Exception):
    """A file of the folder is missing or damaged."""


def model_type(folder: Path) -> str:
    """The architecture that config.json names; '' if it cannot be read."""
    try:
        return str(_object(folder / "config.json").get("model_type", ""))
    except _UnusableError:
        return ""


def encoder_decoder(folder: Path) -> str:
    """What is found if config.json describes an encoder-decoder, which is not trained; else ''."""
    try:
        return _encoder_decoder(_object(folder / "config.json"))
    except _UnusableError:
        return ""


def _encoder_decoder(config: dict[str, Any]) -> str:
    kind = config.get("model_type")
    found = f"a model of type {kind}, an encoder with a decoder"
    return found if config.get("is_encoder_decoder") else ""


def problem(folder: Path, head: Head, lora: Lora, scope: Scope) -> Problem | None:
    """The first reason why the model in `folder` cannot be trained; None if none is found."""
    try:
        config = _object(folder / "config.json")
        shapes = _shapes(folder)
    except _UnusableError as error:
        allowed = "a folder with config.json, model.safetensors and, for texts, a tokenizer"
        return Problem("task.model", f"{folder}: {error}", allowed)
    return next(_problems(folder, config, shapes, head, lora, scope), None)


def _problems(
    folder: Path,
    config: dict[str, Any],
    shapes: dict[str, int],
    head: Head,
    lora: Lora,
    scope: Scope,
) -> Iterator[Problem]:
    kind = str(config.get("model_type"))
    if head != "image" and not any((folder / name).is_file() for name in VOCABULARIES):
        yield Problem(
            "task.model", f"{folder}: it has no tokenizer", f"a folder with {VOCABULARIES[0]}"
        )
    if head != "image" and (found := _encoder_decoder(config)):
        yield Problem("task.model", f"{folder}: {found}", ALLOWED_BODIES)
    if scope == "all":
        return
    linear = ", ".join(sorted({name.split(".")[-2] for name in shapes if _is_linear(name, shapes)}))
    targets = lora.targets or lora_targets(kind)
    if targets is None:
        yield Problem(
            "training.lora.targets",
            f"none, and a model of type {kind} ({folder}), for which no targets are known",
            f"a list of its linear modules, which are {linear}",
        )
    layers = next((config[key] for key in _LAYERS if isinstance(config.get(key), int)), None)
    if lora.upper_layers and layers and lora.upper_layers > layers:
        yield Problem(
            "training.lora.upper_layers",
            f"{lora.upper_layers} with a model of {layers} layers ({folder})",
            f"at most {layers}",
        )
    leaves = {name.split(".")[-2] for name in shapes if "." in name}
    for target in lora.targets or []:
        if target.rsplit(".", 1)[-1] not in leaves and _is_unknown(folder, head, target):
            yield Problem(
                "training.lora.targets",
                f"{target!r}, which is no module of the {kind} model in {folder}",
                f"its linear modules, which are {linear}",
            )


def _is_linear(name: str, shapes: dict[str, int]) -> bool:
    module = name.removesuffix(".weight")
    return module != name and "." in module and shapes[name] == 2 and "embed" not in module


def _is_unknown(folder: Path, head: Head, target: str) -> bool:
    """Whether the model has no module `target`, though files of it may name modules otherwise.

    Imports torch and builds the model without memory for its weights: some seconds, only for a
    target that is probably wrong. False if that is not possible.
    """
    from flasc.models.pretrained import module_names

    names = module_names(folder, head)
    return bool(names) and target.rsplit(".", 1)[-1] not in names


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise _UnusableError(f"it has no {path.name}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise _UnusableError(f"{path.name} cannot be read ({error})") from error
    if not isinstance(found, dict):
        raise _UnusableError(f"{path.name} is not a JSON object")
    return found


def _shapes(folder: Path) -> dict[str, int]:
    """The number of dimensions of each weight, read from the heads of the safetensors files."""
    index, whole = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if whole.is_file() or not index.is_file():
        return _header(whole)
    files = _object(index).get("weight_map")
    if not isinstance(files, dict):
        raise _UnusableError(f"{index.name} has no weight_map")
    found: dict[str, int] = {}
    for name in sorted({Path(str(file)).name for file in files.values()}):
        found |= _header(folder / name)
    return found


def _header(path: Path) -> dict[str, int]:
    if not path.is_file():
        pickled = sorted(file.name for file in path.parent.glob("*.bin"))
        beside = f" (found {pickled[0]}; pickled weights are never loaded)" if pickled else ""
        raise _UnusableError(f"it has no {path.name}{beside}")
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > min(_MAX_HEADER, path.stat().st_size):
                raise ValueError("its length is impossible")
            tensors = json.loads(file.read(size))
        tensors.pop("__metadata__", None)
        end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        if 8 + size + end != path.stat().st_size:
            raise ValueError(f"found {path.stat().st_size} bytes, expected {8 + size + end}")
        return {str(name): len(tensor["shape"]) for name, tensor in tensors.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _UnusableError(f"{path.name} is damaged ({error})") from error
