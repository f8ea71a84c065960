"""Which modules LoRA wraps in each architecture. Torch-free.

PEFT has a table of them, which is used for every architecture that it knows, except where `OWN` has
another entry. It is read from PEFT's source: importing PEFT loads torch, which `check` must not.
"""

import ast
import functools
import importlib.util
from pathlib import Path

_TABLE = "TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING"

# Query and value where PEFT has no entry, as Hu et al. 2021 do, or the projection that holds both.
OWN = {
    "albert": ["query", "value"],
    "distilbert": ["q_lin", "v_lin"],
    # PEFT has c_attn alone; the FLASC reference code wraps attention and MLP.
    "gpt2": ["c_attn", "c_proj", "c_fc"],
    "granite": ["q_proj", "v_proj"],
    "modernbert": ["Wqkv"],
    "mpnet": ["q", "v"],
    "olmo2": ["q_proj", "v_proj"],
    "phi3": ["qkv_proj"],
    "smollm3": ["q_proj", "v_proj"],
    # The FLASC reference code's; `query` and `value` until transformers 5 renamed them.
    "vit": ["q_proj", "v_proj"],
}


def lora_targets(architecture: str) -> list[str] | None:
    """The modules that LoRA wraps in models of type `architecture`; None if they are not known."""
    return OWN.get(architecture, peft_targets().get(architecture))


def known_architectures() -> list[str]:
    """The types of models whose targets are known, sorted."""
    return sorted({*OWN, *peft_targets()})


@functools.cache
def peft_targets() -> dict[str, list[str]]:
    """PEFT's table; {} without PEFT. Its regular expressions for multimodal models are left out."""
    spec = importlib.util.find_spec("peft")
    folders = (spec and spec.submodule_search_locations) or ()
    files = [Path(folder) / "utils" / "constants.py" for folder in folders]
    for tree in (ast.parse(file.read_text("utf-8")) for file in files if file.is_file()):
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == _TABLE:
                found = ast.literal_eval(node.value)
                return {kind: names for kind, names in found.items() if isinstance(names, list)}
    return {}
