"""Lines of a television series by speaker: 61,563 lines of 852 speakers.

The six leads have 83 % of them: their lines pretrain the substitute model `friends-gpt2`, and the
other 846 speakers are the users.
"""

import csv
from pathlib import Path

from flasc.assets.catalogue import ASSETS
from flasc.common.errors import AssetError
from flasc.data.lines import Lines

LEADS = frozenset({"Chandler", "Joey", "Monica", "Phoebe", "Rachel", "Ross"})
EDITION = f"friends-transcripts.tab ({ASSETS['friends'].source}), all but the six leads"
_COLUMNS = ["Season", "Episode", "Season & Episode", "Title", "Author", "Quote"]


def parse(path: Path) -> Lines:
    """Speaker and words of each line, in the order of the file.

    The format is Orange's .tab: three header rows, here followed by a blank row. Leading and
    trailing spaces are dropped. Raises AssetError, naming file and row, for anything else.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AssetError(f"{path}: cannot be read: {error}") from error
    if rows[:1] != [_COLUMNS]:
        raise AssetError(f"{path}: found columns {rows[:1]}; expected {_COLUMNS}")
    said = [(number, row) for number, row in enumerate(rows[3:], start=4) if row]
    for number, row in said:
        if len(row) != len(_COLUMNS):
            raise AssetError(f"{path}, row {number}: found {len(row)} columns; expected 6")
    return Lines([row[4] for _, row in said], [row[5].strip() for _, row in said])


def load(folder: Path) -> tuple[Lines, Lines]:
    """The lines of the leads, and those of all other speakers. Raises AssetError."""
    everything = parse(folder / "friends-transcripts.tab")
    return everything.of(set(LEADS)), everything.of(set(everything.users) - LEADS)
