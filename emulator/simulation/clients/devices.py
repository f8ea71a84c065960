"""Settings of published device tables."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import PrivateAttr, model_validator
from typing_extensions import Self

from emulator.common.distributions import Floats, PositiveDuration
from emulator.common.errors import ScenarioError
from emulator.common.text import printable
from emulator.network.capacity.normal import NormalRate
from emulator.network.tcp import Direction
from emulator.simulation.clients.device_formats import Device, read_fedscale, read_flash
from flasc.common.settings import Settings


class DeviceTable(Settings):
    """A published table of devices, a JSON file."""

    format: Literal["fedscale", "flash"]
    """origin of the table"""
    file: str
    """the table, as JSON; a path from this scenario's folder"""
    _table: list[Device] = PrivateAttr()

    @model_validator(mode="after")
    def _read(self) -> Self:
        read = read_fedscale if self.format == "fedscale" else read_flash
        try:
            table = read(Path(self.file))
        except ScenarioError as error:
            raise ValueError("; ".join(filter(None, [error.message, error.hint]))) from None
        self._table = sorted(table, key=lambda d: (d.down_Bps, d.up_Bps, d.name))
        return self

    @property
    def table(self) -> list[Device]:
        """Devices by rate, slowest first, so that a larger uniform draw gives a higher rate."""
        return self._table

    def seconds(self) -> Floats:
        """Seconds to train on one example, float64 [devices].

        Raises ValueError if a device has no time; FLASH's table has none.
        """
        if timeless := next((d.name for d in self._table if not d.per_example_s), None):
            raise ValueError(
                f"{printable(self.file)}: {printable(timeless)}: found no time to train; "
                "allowed: a time above 0 for every device"
            )
        return np.array([device.per_example_s for device in self._table], np.float64)

    def __str__(self) -> str:
        return f"{self.format} {printable(Path(self.file).name)}"


class Devices(DeviceTable):
    """Each client is one device of the table; several clients may be the same device.

    With `flash`, which has means and deviations, a client's rate is redrawn every `step`.
    """

    step: PositiveDuration = 60.0
    """time after which a rate of `flash` is redrawn"""

    def rates(self, direction: Direction) -> Floats:
        """Mean rates of one direction, bits/s, float64 [devices]."""
        return np.array([8 * device.rate(direction)[0] for device in self.table])

    def changes(self, direction: Direction) -> bool:
        """Whether the rate of any device changes."""
        return any(device.rate(direction)[1] for device in self.table)

    def redrawn(self, number: int, direction: Direction) -> NormalRate | None:
        """The changing rate of the device with this number; None if it is constant."""
        mean_Bps, sigma_Bps = self.table[number].rate(direction)
        return NormalRate(mean_Bps, sigma_Bps, self.step) if sigma_Bps else None
