"""Stand-ins for backbones that no package has: small, pretrained on this machine, once.

Each learns from real examples that no client of its task ever sees, by the settings in `STANDINS`,
and is kept in the asset cache as safetensors under those settings' digest. Torch-free: whoever
finds one in the cache needs no torch.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from flasc.assets.cache import cache_folder, keep
from flasc.assets.packages import Notify


@dataclass(frozen=True, slots=True)
class SubstituteModel:
    """How a stand-in is pretrained: AdamW, its rate falling to zero along a cosine.

    `data` names the asset that it learns from; `parameters` are counted without a head.
    `revision` stands for the code that builds it (`flasc.models.pretraining`): another one,
    another model.
    """

    name: str
    about: str
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
        """SHA-256 of all that decides what it learns, in hexadecimal."""
        told = {"about", "licence", "parameters"}
        decides = {key: value for key, value in asdict(self).items() if key not in told}
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()

    @property
    def nbytes(self) -> int:
        """Size of its weights (float32), bytes."""
        return 4 * self.parameters

    @property
    def source(self) -> str:
        """Where it comes from."""
        return f"{self.about}; pretrained here from {self.data}"

    def folder(self, cache: Path | None = None) -> Path:
        """Where it is or would be."""
        return cache_folder(cache) / f"{self.name}-{self.digest[:12]}"


_TABLE = (
    SubstituteModel(
        name="fashion-vit",
        about="stand-in for a pretrained ViT: 4 layers, 96 hidden; half of Fashion-MNIST's classes",
        data="fashion-mnist",
        licence="MIT (the data's)",
        parameters=454_080,
        epochs=6,
    ),
    SubstituteModel(
        name="scenes-vit",
        about="stand-in for a pretrained ViT: pictures of several garments, half of the classes",
        data="fashion-mnist",
        licence="MIT (the data's)",
        parameters=458_688,
        epochs=10,
    ),
    SubstituteModel(
        name="friends-gpt2",
        about="stand-in for GPT-2: 4 layers, 96 hidden, 1,024 tokens; lines of six speakers",
        data="friends",
        licence="data: no licence stated",
        parameters=558_144,
        epochs=1,
        lr=2e-3,
    ),
)
STANDINS = {standin.name: standin for standin in _TABLE}


def complete(folder: Path) -> bool:
    """Whether a stand-in lies there: it got its name when it was whole."""
    return (folder / "config.json").is_file() and (folder / "model.safetensors").is_file()


def locate(name: str, *, cache: Path | None = None, notify: Notify = lambda _: None) -> Path:
    """The folder of a stand-in, pretrained now where the cache does not have it (minutes).

    Raises AssetError where its data cannot be had or the disk refuses.
    """
    standin = STANDINS[name]

    def make(folder: Path) -> None:
        from flasc.models.pretraining import pretrain

        pretrain(standin, folder, cache, notify)

    return keep(standin.folder(cache), complete, make, nbytes=standin.nbytes)
