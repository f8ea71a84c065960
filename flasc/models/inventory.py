"""Assets and substitute models, and whether the cache has them."""

from dataclasses import dataclass
from pathlib import Path

from flasc.assets.catalogue import ASSETS, asset_folder, is_complete
from flasc.models import standins
from flasc.models.standins import SUBSTITUTES


@dataclass(frozen=True, slots=True)
class Status:
    """One line of `flasc-emu assets`; `nbytes` is the unpacked size, `folder` may not exist."""

    name: str
    kind: str
    source: str
    licence: str
    nbytes: int
    cached: bool
    folder: Path


def status(cache: Path | None = None) -> list[Status]:
    """The status of every substitute model and then of every asset in `ASSETS`."""
    made = [
        Status(s.name, "model", s.source, s.licence, s.nbytes, standins.complete(folder), folder)
        for s in SUBSTITUTES.values()
        for folder in [s.folder(cache)]
    ]
    fetched = [
        Status(a.name, a.kind, a.source, a.licence, a.nbytes, is_complete(a, folder), folder)
        for a in ASSETS.values()
        for folder in [asset_folder(a, cache)]
    ]
    return made + fetched
