"""Substitute models: small replacements of pretrained models that no package has.

Each is pretrained once on this machine, on real examples that no client of its task holds, with the
settings in `SUBSTITUTES`. The asset cache keeps it as safetensors under the digest of its settings.
Torch is imported only when a model is pretrained.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from flasc.assets.cache import cache_folder, keep
from flasc.assets.packages import Notify


@dataclass(frozen=True, slots=True)
class SubstituteModel:
    """How a substitute model is pretrained: by AdamW, with a cosine schedule that ends at zero.

    `data` names the asset that it is trained on. `parameters` does not count a head. `revision`
    stands for the code that builds it (`flasc.models.pretraining`).
    """

    name: str
    description: str
    data: str
    licence: str
    parameters: int
    epochs: int
    batch: int = 64
    lr: float = 1e-3
    weight_decay: float = 0.05
    seed: int = 0
    revision: int = 1

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of every field that affects the weights."""
        ignored = {"description", "licence", "parameters"}
        fields = {key: value for key, value in asdict(self).items() if key not in ignored}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()

    @property
    def nbytes(self) -> int:
        """Size of the float32 weights, bytes."""
        return 4 * self.parameters

    @property
    def source(self) -> str:
        """What the model is and which data it is pretrained on."""
        return f"{self.description}; pretrained here from {self.data}"

    def folder(self, cache: Path | None = None) -> Path:
        """The folder of the model in the cache, whether it exists or not."""
        return cache_folder(cache) / f"{self.name}-{self.digest[:12]}"


_TABLE = (
    SubstituteModel(
        name="fashion-vit",
        description="substitute for a ViT: 4 layers, 96 hidden; half of Fashion-MNIST's classes",
        data="fashion-mnist",
        licence="MIT (the data's)",
        parameters=454_080,
        epochs=6,
    ),
    SubstituteModel(
        name="scenes-vit",
        description="substitute for a ViT: pictures of several garments, half of the classes",
        data="fashion-mnist",
        licence="MIT (the data's)",
        parameters=458_688,
        epochs=10,
    ),
    SubstituteModel(
        name="friends-gpt2",
        description="substitute for GPT-2: 4 layers, 96 hidden, 1,024 tokens; six speakers",
        data="friends",
        licence="data: no licence stated",
        parameters=558_144,
        epochs=1,
        lr=2e-3,
    ),
)
SUBSTITUTES = {substitute.name: substitute for substitute in _TABLE}


def complete(folder: Path) -> bool:
    """Whether `folder` holds a substitute model; a folder gets its name when it is complete."""
    return (folder / "config.json").is_file() and (folder / "model.safetensors").is_file()


def locate(name: str, *, cache: Path | None = None, notify: Notify = lambda _: None) -> Path:
    """The folder of a substitute model; pretrains it for some minutes if it is not cached.

    Raises AssetError if its data are not available or cannot be written to disk.
    """
    substitute = SUBSTITUTES[name]

    def make(folder: Path) -> None:
        from flasc.models.pretraining import pretrain

        pretrain(substitute, folder, cache, notify)

    return keep(substitute.folder(cache), complete, make, nbytes=substitute.nbytes)
