"""Logs of six columns: 3G in Norway (HSDPA) and 4G in Ghent."""

import numpy as np

from emulator.common.errors import ScenarioError
from emulator.common.text import printable
from emulator.network.traces.numbers import read_numbers
from emulator.network.traces.samples import Samples, both

ROW = "six numbers: time, ms, latitude, longitude, bytes, ms"
_END_MS, _BYTES, _LASTING_MS = 1, 4, 5


def read_six_columns(text: str, name: str) -> Samples:
    """Reads a log of what a phone received. Raises ScenarioError.

    A line has the time since 1970 (s in Norway, ms in Ghent), ms since some start, latitude,
    longitude, bytes received since the line before, and ms since then. The rate of a line, bytes by
    ms, holds from the time of the line before until its own, by the second column. The first line
    begins its ms earlier. The rate is for both directions, although only downloads were measured.

    Norway: Riiser et al., MMSys 2013, datasets.simula.no/hsdpa-tcp-logs. Ghent: van der Hooft et
    al., IEEE Communications Letters 20 (2016), users.ugent.be/~jvdrhoof/dataset-4g.
    """
    lines, values = read_numbers(text, name, 6, ROW, used=(_END_MS, _BYTES, _LASTING_MS))
    if not lines:
        raise ScenarioError(f"{printable(name)}: found no rows; allowed: {ROW}")
    ends_s, received_B, lasting_s = (values / (1000, 1, 1000)).T
    if not lasting_s.all():
        line = lines[int(np.flatnonzero(lasting_s == 0)[0])]
        found = "found 0 ms in the last column"
        raise ScenarioError(f"{printable(name)}:{line}: {found}; allowed: above 0")
    starts_s = np.concatenate([ends_s[:1] - lasting_s[:1], ends_s[:-1]])
    rates_Bps = received_B / lasting_s
    end_s = float(ends_s[-1] - starts_s[0])
    return Samples(name, starts_s - starts_s[0], both(rates_Bps), end_s, lines).checked()
