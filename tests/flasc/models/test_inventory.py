"""What the cache has."""

from flasc.assets import catalogue
from flasc.assets.catalogue import ASSETS
from flasc.models import inventory
from flasc.models.standins import SUBSTITUTES


def test_status_lists_every_asset(tmp_path):
    before = inventory.status(tmp_path)
    assert [row.name for row in before] == [*SUBSTITUTES, *ASSETS]
    assert not any(row.cached for row in before)
    folder = catalogue.asset_folder(ASSETS["friends"], tmp_path)
    folder.mkdir()
    (file,) = ASSETS["friends"].files
    with (folder / file.name).open("wb") as opened:
        opened.truncate(file.nbytes)
    (found,) = (row for row in inventory.status(tmp_path) if row.cached)
    assert (found.name, found.folder, found.nbytes) == ("friends", folder, file.nbytes)
