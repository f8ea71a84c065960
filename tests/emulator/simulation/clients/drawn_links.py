"""Networks of settings, with the fleet and the link profiles that are drawn of them."""

from pathlib import Path

import numpy as np

from emulator.network.capacity.diurnal import DAY_S
from emulator.simulation.clients import fleet, link_profiles
from emulator.simulation.clients.links import Network

DATA = Path(__file__).parents[3] / "data"
CSV, MAHIMAHI = DATA / "capacity_sample.csv", DATA / "mahimahi_sample.trace"
SERVER = {"down": "1 Gbps", "up": "1 Gbps"}
TRACE = {"kind": "trace", "file": str(CSV)}
MARKOV = {
    "kind": "markov",
    "states": [{"rate": "8 Mbps", "dwell": "9 s"}, {"rate": 0, "dwell": "3 s"}],
}
DIURNAL = {"kind": "diurnal", "mean": "8 Mbps", "depth": 0.75}
TIMES_S = np.linspace(0, 2 * DAY_S, 997)


def network(server=SERVER, **keys):
    return Network.model_validate({"server": server, **keys})


def built(found, clients=5, seed=0, compute=None):
    made = fleet.draw_fleet(found, compute, clients, seed)
    return made, link_profiles.LinkProfiles.build(found, made, seed)


def rates(profile):
    return np.array([profile.rate_at(t) for t in TIMES_S.tolist()])
