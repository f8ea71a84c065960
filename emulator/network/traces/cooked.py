"""Traces of Pensieve and what follows it: seconds and Mbit/s in two columns."""

from emulator.common.errors import ScenarioError
from emulator.common.text import printable
from emulator.network.traces.numbers import read_numbers
from emulator.network.traces.samples import Samples, both

ROW = "seconds and Mbit/s, with a space or tab between"
UNIT_BPS = 1e6 / 8


def read_cooked(text: str, name: str) -> Samples:
    """Reads a 'cooked' trace of Pensieve (Mao et al., SIGCOMM 2017). Raises ScenarioError.

    Each line has a time in seconds and a rate in Mbit/s, as in `load_trace.py` of
    github.com/hongzimao/pensieve. In its simulator (`fixed_env.py`), a rate holds from the time of
    the line before until that of its own line, so the rate of the first line is not used. Times
    count from the first line. The rate is for both directions.
    """
    lines, values = read_numbers(text, name, 2, ROW, used=(0, 1))
    if len(lines) < 2:
        found = f"found {len(lines)} rows"
        raise ScenarioError(f"{printable(name)}: {found}; allowed: 2 or more, of {ROW}")
    times_s = values[:, 0] - values[0, 0]
    rates_Bps = values[1:, 1] * UNIT_BPS
    return Samples(name, times_s[:-1], both(rates_Bps), float(times_s[-1]), lines[1:]).checked()
