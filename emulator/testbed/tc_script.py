"""A shell script that shapes the interfaces of real hosts like the links of a scenario.

Each client's host (or container) runs it with its number, the server's host with `server`. Packets
out of the interface and, through an intermediate device (ifb), into it are delayed and lost by
tc-netem(8) and then pass the token bucket of the rate, tc-tbf(8), as in
`emulator.testbed.linux.topology`.
"""

import math
import shlex
from collections.abc import Iterator

from emulator.common.text import printable
from emulator.scenario.scenario import Scenario
from emulator.simulation.clients import link_profiles
from emulator.simulation.clients.fleet import Fleet
from emulator.simulation.clients.links import Network
from emulator.testbed.linux.topology import token_bucket

_SMALLEST_B = 66  # an acknowledgement without data over Ethernet, the smallest packet

_SCRIPT = """\
#!/bin/sh
# Shapes the link of one host like {title}. Made by flasc-emu export tc.
#
#   sh shape.sh client NUMBER DEVICE     this host is client 0 to {last}
#   sh shape.sh server DEVICE            this host is the server
#   sh shape.sh clear DEVICE             remove all of it
#
# Needs root, tc and ip (iproute2), and the kernel's sch_netem, sch_tbf, ifb and act_mirred. All
# other traffic of the device is shaped as well: log in through another device.
{notes}set -eu

clear() {{
  tc qdisc del dev "$1" root 2>/dev/null || true
  tc qdisc del dev "$1" ingress 2>/dev/null || true
  ip link del "$(inward "$1")" 2>/dev/null || true
}}

# Device names have 15 characters.
inward() {{ printf 'in-%.12s' "$1"; }}

# DEVICE 'NETEM' 'TBF'; netem delays and drops packets, then tbf limits their rate.
queue() {{
  tc qdisc add dev "$1" root handle 1: netem $2
  tc qdisc add dev "$1" parent 1:1 handle 10: $3
}}

# DEVICE 'NETEM out' 'TBF out' 'NETEM in' 'TBF in'
shape() {{
  clear "$1"
  # Without this, netem drops, and tbf passes, 64 kB at a time.
  ethtool -K "$1" tso off gso off gro off 2>/dev/null ||
    echo "warning: segmentation offload of $1 is unchanged (no ethtool?)" >&2
  ip link add "$(inward "$1")" type ifb
  ip link set "$(inward "$1")" up
  tc qdisc add dev "$1" handle ffff: ingress
  tc filter add dev "$1" parent ffff: protocol all prio 1 matchall \\
    action mirred egress redirect dev "$(inward "$1")"
  queue "$1" "$2" "$3"
  queue "$(inward "$1")" "$4" "$5"
}}

usage() {{
  sed -n '2,6s/^# \\{{0,1\\}}//p' "$0" >&2
  exit 2
}}

server() {{
  shape "$1" \\
{server}
}}

client() {{
  case "$1" in
{clients}
    *) usage ;;
  esac
}}

case "${{1-}} $#" in
  "client 3") client "$2" "$3" ;;
  "server 2") server "$2" ;;
  "clear 2") clear "$2" ;;
  *) usage ;;
esac
"""


def script(scenario: Scenario, variant: str, fleet: Fleet) -> str:
    """POSIX shell script for all hosts of `scenario`, whose clients are `fleet`."""
    title = f"{scenario.name}, {variant}"
    longest_rtt_s = 2 * float(fleet.delay_s.max())
    return _SCRIPT.format(
        title="".join(c if c.isprintable() else "?" for c in title),
        last=len(fleet) - 1,
        notes="".join(f"# {note}\n" for note in not_shaped(scenario.network, fleet)),
        server=_queues(fleet.server_up_Bps, fleet.server_down_Bps, longest_rtt_s),
        clients="\n".join(_client(fleet, i) for i in range(len(fleet))),
    )


def not_shaped(network: Network, fleet: Fleet) -> Iterator[str]:
    """Sentences about parts of the network that a single host cannot shape."""
    if changing := link_profiles.changing(network):
        yield f"Shaped by their long-term means: {', '.join(map(printable, changing))}."
    if (n := len(fleet.cell_up_Bps)) > 0:
        yield f"Not shaped: {n} cells, which clients on several hosts share."
    if fleet.half_duplex.any():
        yield "Not shaped: half duplex; both directions have their full rate at the same time."


def _client(fleet: Fleet, i: int) -> str:
    delay_s, loss = float(fleet.delay_s[i]), float(fleet.loss[i])
    rates_Bps = float(fleet.up_Bps[i]), float(fleet.down_Bps[i])
    return f'    {i}) shape "$2" \\\n{_queues(*rates_Bps, 2 * delay_s, delay_s, loss)} ;;'


def _queues(
    up_Bps: float, down_Bps: float, rtt_s: float, delay_s: float = 0, loss: float = 0
) -> str:
    """The last four arguments of `shape`; `delay_s` and `loss` are those of each direction."""
    words = [
        word
        for rate_Bps in (up_Bps, down_Bps)
        for word in (_netem(rate_Bps, delay_s, loss), token_bucket(rate_Bps, rtt_s))
    ]
    return " \\\n".join(f"      {shlex.quote(word)}" for word in words)


def _netem(rate_Bps: float, delay_s: float, loss: float) -> str:
    """Delay and loss of one direction, and a queue for all packets in flight."""
    packets = 1000 + math.ceil(rate_Bps * delay_s / _SMALLEST_B)
    lost = f" loss {100 * loss:.6g}%" if loss else ""
    return f"delay {round(1e6 * delay_s)}us{lost} limit {packets}"
