"""Tables of devices that others published, as a scenario names them."""

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
    """A published table of devices, as JSON."""

    format: Literal["fedscale", "flash"]
    file: str
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
        """By rate, the slowest first, so that a client's number in [0, 1) rises with its rate."""
        return self._table

    def seconds(self) -> Floats:
        """To train on one example, float64 [devices]; FLASH's table has no times.

        Raises ValueError where a device's time is missing: it is not taken for none.
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
    """Each client is one of the table's devices, and may be the same as another.

    `flash` has means and deviations: a client's rate is drawn anew every `step`.
    """

    step: PositiveDuration = 60.0

    def rates(self, direction: Direction) -> Floats:
        """Of one way, in the mean, bits/s, float64 [devices]."""
        return np.array([8 * device.rate(direction)[0] for device in self.table])

    def changes(self, direction: Direction) -> bool:
        """Whether any device's rate does."""
        return any(device.rate(direction)[1] for device in self.table)

    def redrawn(self, number: int, direction: Direction) -> NormalRate | None:
        """How the rate of the device of this number changes; None if it does not."""
        mean_Bps, sigma_Bps = self.table[number].rate(direction)
        return NormalRate(mean_Bps, sigma_Bps, self.step) if sigma_Bps else None
