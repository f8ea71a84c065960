"""Readers of published device tables, FedScale and FLASH. Nothing in the files is executed.

A kilobit is 1,000 bits and a kilobyte 1,000 bytes here. Both projects divide message sizes by 1,024
in places, which makes their times 2.4 % shorter.
"""

from dataclasses import dataclass
from pathlib import Path

from emulator.common.text_files import read_table, unpickling
from emulator.network.tcp import Direction

# In FedScale, training takes three times as long as inference (client_metadata.py).
_TRAINING_PER_INFERENCE = 3

_UNPICKLE = unpickling("client_device_capacity", to="devices.json")


@dataclass(frozen=True, slots=True)
class Device:
    """Rates of a device, bytes/s from its point of view, and seconds to train on one example.

    A rate with a sigma is normally distributed with that standard deviation; negative draws are
    redrawn.
    """

    name: str
    down_Bps: float
    up_Bps: float
    down_sigma_Bps: float = 0.0
    up_sigma_Bps: float = 0.0
    per_example_s: float | None = None

    def rate(self, direction: Direction) -> tuple[float, float]:
        """(mean, standard deviation) of one direction, bytes/s."""
        if direction == "down":
            return self.down_Bps, self.down_sigma_Bps
        return self.up_Bps, self.up_sigma_Bps


def read_fedscale(path: Path) -> list[Device]:
    """Devices of FedScale's `client_device_capacity` (Lai et al., ICML 2022), as JSON.

    {client: {"computation": ms to infer one example, "communication": kbit/s, both directions}};
    units from its client_metadata.py and oort.py. The published pickle is never opened here; the
    hint of the ScenarioError says how to convert it to JSON.
    """
    columns = {"computation": True, "communication": False}
    devices = []
    for name, row in read_table(path, columns, _UNPICKLE).items():
        rate_Bps = row["communication"] * 1000 / 8
        seconds = _TRAINING_PER_INFERENCE * row["computation"] / 1000
        devices.append(Device(name, rate_Bps, rate_Bps, per_example_s=seconds))
    return devices


def read_flash(path: Path) -> list[Device]:
    """Devices of FLASH's `speed_distri.json` (Yang et al., WWW 2021). Raises ScenarioError.

    {device: {"down_u", "down_sigma", "up_u", "up_sigma"}}: mean and standard deviation, kB/s, of
    rates that FLASH redraws for every message (its device.py). Its training times are in other
    files, by phone model, and are not read.
    """
    # In the order of the fields of `Device`.
    columns = {"down_u": False, "up_u": False, "down_sigma": True, "up_sigma": True}
    table = read_table(path, columns, "save the file as JSON, in UTF-8")
    return [Device(name, *(row[key] * 1000 for key in columns)) for name, row in table.items()]
