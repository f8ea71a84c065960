"""What can be fetched or pretrained, and what the cache has already."""

from dataclasses import dataclass
from pathlib import Path

from flasc.assets.catalogue import ASSETS, _complete, _folder
from flasc.models import standins
from flasc.models.standins import STANDINS


@dataclass(frozen=True, slots=True)
class Status:
    """One line of `flasc-emu assets`: `nbytes` unpacked; `folder` is where it is or would be."""

    name: str
    kind: str
    source: str
    licence: str
    nbytes: int
    cached: bool
    folder: Path


def status(cache: Path | None = None) -> list[Status]:
    """What there is to fetch or to pretrain, and what is here already: stand-ins, then `ASSETS`."""
    made = [
        Status(s.name, "model", s.source, s.licence, s.nbytes, standins.complete(folder), folder)
        for s in STANDINS.values()
        for folder in [s.folder(cache)]
    ]
    fetched = [
        Status(a.name, a.kind, a.source, a.licence, a.nbytes, _complete(a, folder), folder)
        for a in ASSETS.values()
        for folder in [_folder(a, cache)]
    ]
    return made + fetched
