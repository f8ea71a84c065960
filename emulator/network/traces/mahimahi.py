"""Traces of Mahimahi: one line per packet that may pass."""

import re

import numpy as np
from numpy.typing import NDArray

from emulator.common.errors import ScenarioError
from emulator.common.text import printable, short_repr
from emulator.common.text_files import MAX_PIECES
from emulator.common.units import format_duration
from emulator.network.traces.samples import GAP, Remark, Samples, both

PACKET_B = 1504  # bytes per stamp
BIN_S = 0.1
OUTAGE_S = 1.0  # above which no packets are a gap


def read_mahimahi(text: str, name: str, *, bin_s: float = BIN_S) -> Samples:
    """Reads the rates of a Mahimahi trace (mm-link, Netravali et al., USENIX ATC 2015), in bins.

    A line is a millisecond, counted from the start, at which one packet may pass; several packets
    in one millisecond are several lines. The trace repeats from its last stamp on. A packet is
    1,504 bytes: PACKET_SIZE of its link_queue.hh, a packet of 1,500 with the TUN header.

    The rate of a bin (`bin_s`, seconds, whole milliseconds) is that of the packets that pass after
    its start and until its end; the last bin is shorter if the trace ends within it. So each bin
    has the bytes of the trace, but not their times within the bin. Raises ScenarioError.
    """
    bin_ms = round(bin_s * 1000)
    assert bin_ms >= 1
    stamps_ms, latest = [], 0
    for line, row in enumerate(text.splitlines(), 1):
        if not re.fullmatch(r"\s*[0-9]{1,12}\s*", row, re.ASCII) or int(row) < latest:
            found, allowed = f"found {short_repr(row)}", f"a whole number of ms, {latest} or more"
            raise ScenarioError(f"{printable(name)}:{line}: {found}; allowed: {allowed}")
        stamps_ms.append(latest := int(row))
    bins = -(-latest // bin_ms)
    if not 0 < bins <= MAX_PIECES:
        found = f"found a last stamp of {latest} ms" if stamps_ms else "found no stamps"
        allowed = f"1 to {MAX_PIECES * bin_ms:,} ms"
        raise ScenarioError(f"{printable(name)}: {found}; allowed: {allowed}")
    starts_ms = np.arange(bins) * bin_ms
    lasting_ms = np.diff(starts_ms, append=latest)
    passed_in = np.maximum(0, np.array(stamps_ms) - 1) // bin_ms
    packets = np.bincount(passed_in, minlength=bins)
    rates_Bps = packets * PACKET_B / (lasting_ms / 1000)
    lines = (np.searchsorted(passed_in, np.arange(bins)) + 1).tolist()
    return Samples(
        name, starts_ms / 1000, both(rates_Bps), latest / 1000, lines, _outage(np.array(stamps_ms))
    )


def _outage(stamps_ms: NDArray[np.int64]) -> tuple[Remark, ...]:
    """The longest time without a packet, if it is a gap and longer than a second."""
    steps_s = np.diff(stamps_ms) / 1000
    if len(steps_s) < 2:
        return ()
    at = int(steps_s.argmax())
    if steps_s[at] <= max(GAP * float(np.median(steps_s)), OUTAGE_S):
        return ()
    length = format_duration(float(steps_s[at]))
    text = f"no packet passes for {length} after this line, so that the link is down"
    return (Remark(text, at + 1),)
