"""Searches the rank and the densities of FLASC with the least simulated time to target.

`read_space` says what may be tried, `walk` decides what is tried next, `search` trains or replays
it.
"""

from emulator.runner.search.search import search
from emulator.runner.search.space import Axes, Space, read_space
from emulator.runner.search.summary import Compared, Search, folder_name
from emulator.runner.search.trial import Trial

__all__ = ["Axes", "Compared", "Search", "Space", "Trial", "folder_name", "read_space", "search"]
