"""A scenario's links for a real test bed: a shell script that shapes one host's interface.

Each client's host (or container) runs it with its number, the server's with `server`. Out of the
interface and, by way of an intermediate device (ifb), into it: delay and loss by tc-netem(8), with
the rate's token bucket, tc-tbf(8), behind it. Buckets are those of
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

_SMALLEST_B = 66  # a bare acknowledgement over Ethernet: what most packets in flight may be

_SCRIPT = """\
#!/bin/sh
# Shapes one host's link as {title} has it. Made by flasc-emu export tc.
#
#   sh shape.sh client NUMBER DEVICE     this host is client 0 to {last}
#   sh shape.sh server DEVICE            this host is the server
#   sh shape.sh clear DEVICE             as it was before
#
# Takes root, tc and ip (iproute2), and the kernel's sch_netem, sch_tbf, ifb and act_mirred. What
# other traffic the device carries is shaped as well: log in by another one.
{notes}set -eu

clear() {{
  tc qdisc del dev "$1" root 2>/dev/null || true
  tc qdisc del dev "$1" ingress 2>/dev/null || true
  ip link del "$(inward "$1")" 2>/dev/null || true
}}

# Device names have 15 characters.
inward() {{ printf 'in-%.12s' "$1"; }}

# DEVICE 'NETEM' 'TBF'; netem lets go of a packet when it is due, and tbf when its bytes are.
queue() {{
  tc qdisc add dev "$1" root handle 1: netem $2
  tc qdisc add dev "$1" parent 1:1 handle 10: $3
}}

# DEVICE 'NETEM out' 'TBF out' 'NETEM in' 'TBF in'
shape() {{
  clear "$1"
  # Otherwise netem loses, and tbf passes, 64 kB at a time.
  ethtool -K "$1" tso off gso off gro off 2>/dev/null ||
    echo "warning: segmentation offload of $1 is left as it is (no ethtool?)" >&2
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
    """POSIX shell for all hosts of `scenario`, whose clients are `fleet`."""
    title = f"{scenario.name}, {variant}"
    return _SCRIPT.format(
        title="".join(c if c.isprintable() else "?" for c in title),
        last=len(fleet) - 1,
        notes="".join(f"# {note}\n" for note in left_out(scenario.network, fleet)),
        server=_server(fleet),
        clients="\n".join(_client(fleet, i) for i in range(len(fleet))),
    )


def left_out(network: Network, fleet: Fleet) -> Iterator[str]:
    """What of a fleet no host can shape by itself, in sentences."""
    if changing := link_profiles.changing(network):
        yield f"Shaped as in the long run: {', '.join(map(printable, changing))}."
    if (n := len(fleet.cell_up_Bps)) > 0:
        yield f"Not shaped: {n} cells, which clients on several hosts share."
    if fleet.half_duplex.any():
        yield "Not shaped: half duplex; both directions have their whole rate at once."


def _server(fleet: Fleet) -> str:
    rtt_s = 2 * float(fleet.delay_s.max())
    return _quoted(
        _netem(fleet.server_up_Bps, 0, 0),
        token_bucket(fleet.server_up_Bps, rtt_s),
        _netem(fleet.server_down_Bps, 0, 0),
        token_bucket(fleet.server_down_Bps, rtt_s),
    )


def _client(fleet: Fleet, i: int) -> str:
    up_Bps, down_Bps = float(fleet.up_Bps[i]), float(fleet.down_Bps[i])
    delay_s, loss = float(fleet.delay_s[i]), float(fleet.loss[i])
    words = _quoted(
        _netem(up_Bps, delay_s, loss),
        token_bucket(up_Bps, 2 * delay_s),
        _netem(down_Bps, delay_s, loss),
        token_bucket(down_Bps, 2 * delay_s),
    )
    return f'    {i}) shape "$2" \\\n{words} ;;'


def _quoted(*words: str) -> str:
    return " \\\n".join(f"      {shlex.quote(word)}" for word in words)


def _netem(rate_Bps: float, delay_s: float, loss: float) -> str:
    """Delay and loss one way, and room for whatever is in flight meanwhile."""
    packets = 1000 + math.ceil(rate_Bps * delay_s / _SMALLEST_B)
    lost = f" loss {100 * loss:.6g}%" if loss else ""
    return f"delay {round(1e6 * delay_s)}us{lost} limit {packets}"
