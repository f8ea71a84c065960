"""CSV logs of the Irish 4G and 5G data sets, which G-NetTrack Pro wrote."""

from dataclasses import replace

from emulator.network.tcp import Direction
from emulator.network.traces.columns import read_columns
from emulator.network.traces.samples import Remark, Samples

TIME, DOWN, UP = "Timestamp", "DL_bitrate", "UL_bitrate"
RATES: dict[Direction, str] = {"down": DOWN, "up": UP}
ACHIEVED = (
    f"{UP} is what the phone sent while it downloaded, and not what the link could carry: uploads "
    "over it take too long"
)


def read_irish(text: str, name: str) -> Samples:
    """Reads a log of the Irish data sets. Raises ScenarioError.

    Of its named columns, three are used: times like 2020.02.14_09.38.22, and bit rates of both
    directions in kbit/s. Seconds occur twice or not at all, as the app wrote a row about once per
    second; rows of one second share the time until the next. The uploads were not saturated, and a
    remark says so.

    4G: Raca et al., MMSys 2018. 5G: Raca et al., MMSys 2020, github.com/uccmisl/5Gdataset.
    """
    samples = read_columns(text, name, TIME, RATES, "kbps", "%Y.%m.%d_%H.%M.%S")
    return replace(samples, remarks=(Remark(ACHIEVED, direction="up"),))


def has_columns(header: str) -> bool:
    """Whether a line is the header of such a log; the reader tells of a name in other letters."""
    cells = {cell.strip(' "').casefold() for cell in header.split(",")}
    return {name.casefold() for name in (TIME, DOWN, UP)} <= cells
