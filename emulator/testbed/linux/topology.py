"""A star of network namespaces: clients, a router and a server; each link is shaped at its sender.

    client i --(TUN, relay, TUN)-- router --(veth)-- server

Token buckets of the kernel (tc-tbf) with drop-tail buffers limit the rates; the relay adds delays.
TUN devices have no Ethernet header, so its size is added to each segment there.
"""

import os
from dataclasses import dataclass

from emulator.testbed.linux import netns
from emulator.testbed.linux.delay_relay import Cable
from emulator.testbed.schedule import Star

SERVER = "10.0.0.2"
ETHERNET_B = 14
SEGMENT_B = 1514  # the burst: an idle link passes one segment at once
LATE_S = 3e-4  # plus the bytes of this time, which late timers would lose
BUFFER_B = 150_000


@dataclass(frozen=True)
class Topology:
    """Namespaces as file descriptors, and the cables for the relay."""

    server: int
    clients: list[int]
    cables: list[Cable]


def client_address(number: int) -> str:
    """The IPv4 address of a client, by its index."""
    return f"10.{1 + number // 250}.{number % 250}.2"


def build(star: Star) -> Topology:
    """Builds `star` in new namespaces; this thread stays in the last. Raises RefusedError."""
    clients = range(len(star.up_Bps))
    server = netns.new()
    netns.sysctl("ipv4/tcp_no_metrics_save", "1")
    router = netns.new()
    netns.sysctl("ipv4/ip_forward", "1")
    end = f"netns /proc/{os.getpid()}/fd/{server}"
    link = f"link add router type veth peer name server {end}"
    netns.run("ip", link, *_up("router", "10.0.0.1"))
    near = [netns.tun(f"client{i}") for i in clients]
    gateways = [client_address(i).removesuffix("2") + "1" for i in clients]
    netns.run("ip", *(line for i in clients for line in _up(f"client{i}", gateways[i])))
    longest_s = 2 * max(star.delay_s)
    shaped = [_shaped("router", star.server_down_Bps, longest_s, 0)]
    for i in clients:
        shaped.append(_shaped(f"client{i}", star.down_Bps[i], 2 * star.delay_s[i], ETHERNET_B))
    netns.run("tc", *shaped)
    with netns.inside(server):
        netns.run("ip", *_up("server", SERVER), "route add default via 10.0.0.1")
        netns.run("tc", _shaped("server", star.server_up_Bps, longest_s, 0))
    namespaces, cables = [], []
    for i in clients:
        namespaces.append(netns.new())
        netns.sysctl("ipv4/tcp_no_metrics_save", "1")
        cables.append(Cable(near[i], netns.tun("access"), star.delay_s[i]))
        netns.run("ip", *_up("access", client_address(i)), "route add default dev access")
        netns.run("tc", _shaped("access", star.up_Bps[i], 2 * star.delay_s[i], ETHERNET_B))
    os.close(router)
    return Topology(server, namespaces, cables)


def _up(device: str, address: str) -> tuple[str, ...]:
    return f"address add {address}/24 dev {device}", f"link set {device} txqueuelen 5000 up"


def _shaped(device: str, rate_Bps: float, rtt_s: float, header_B: int) -> str:
    """The `tc` command that makes `device` send at `rate_Bps`."""
    return f"qdisc add dev {device} root {token_bucket(rate_Bps, rtt_s)} overhead {header_B}"


def token_bucket(rate_Bps: float, rtt_s: float) -> str:
    """Arguments of tc-tbf for that rate, with a buffer of 1.5 rate x RTT."""
    burst_B = SEGMENT_B + round(rate_Bps * LATE_S)
    buffer_B = max(BUFFER_B, round(1.5 * rate_Bps * rtt_s))
    return f"tbf rate {round(8 * rate_Bps)}bit burst {burst_B} limit {buffer_B}"
