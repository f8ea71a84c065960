"""Access networks by name, each figure with the public source that it was taken from.

Measured figures are what one country's users got at the time; a scenario may replace any of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from emulator.simulation.clients import sources as of

PresetName = Literal[
    "3g", "4g", "5g", "wifi", "adsl", "vdsl", "cable", "fibre", "geo", "leo", "lte-m", "nb-iot"
]


@dataclass(frozen=True)
class Figure:
    """A value as a scenario writes it, and what it is in its source."""

    value: object
    what: str
    source: of.Source


@dataclass(frozen=True)
class Preset:
    """An access network: its figures by the key of a scenario that they fill in."""

    about: str
    figures: Mapping[str, Figure]

    def settings(self) -> dict[str, object]:
        """{key: value}, as a scenario would write them."""
        return {key: figure.value for key, figure in self.figures.items()}


def _between(low: str, high: str) -> dict[str, object]:
    return {"kind": "uniform", "low": low, "high": high}


def _around(median: str, sigma: float) -> dict[str, object]:
    return {"kind": "lognormal", "median": median, "sigma": sigma}


def _one_of(*values: str) -> dict[str, object]:
    return {"kind": "empirical", "values": list(values)}


PRESETS: dict[PresetName, Preset] = {
    "3g": Preset(
        "3G phones in British cities",
        {
            "down": Figure("5.9 Mbps", "mean", of.OFCOM_2014),
            "up": Figure("1.6 Mbps", "mean", of.OFCOM_2014),
            "rtt": Figure("63.5 ms", "mean", of.OFCOM_2014),
        },
    ),
    "4g": Preset(
        "4G phones in Britain",
        {
            "down": Figure(
                _around("18.8 Mbps", 1.36),
                "log-normal through two shares: 5 % below 2 Mbps, 11 % at 100 Mbps or more",
                of.OFCOM_2024_SHARES,
            ),
            "up": Figure({"ratio": "76/295"}, "means: 7.6 Mbps up, 29.5 down", of.OFCOM_2023),
            "rtt": Figure(
                _between("18.3 ms", "23.7 ms"),
                "means of the fastest and the slowest operator",
                of.OFCOM_2024,
            ),
        },
    ),
    "5g": Preset(
        "5G phones in Britain",
        {
            "down": Figure(
                _around("88.5 Mbps", 1.63),
                "log-normal through two shares: 1 % below 2 Mbps, 47 % at 100 Mbps or more",
                of.OFCOM_2024_SHARES,
            ),
            "up": Figure({"ratio": "147/1299"}, "means: 14.7 Mbps up, 129.9 down", of.OFCOM_2023),
            "rtt": Figure(
                _between("16.3 ms", "21.4 ms"),
                "means of the fastest and the slowest operator",
                of.OFCOM_2024,
            ),
        },
    ),
    "wifi": Preset(
        "public Wi-Fi, one medium for both directions",
        {
            "down": Figure(
                _one_of("69.22 Mbps", "58.97 Mbps", "51.44 Mbps", "30.74 Mbps", "36.31 Mbps"),
                "mean of each airport",
                of.OOKLA_AIRPORTS,
            ),
            "up": Figure(
                _one_of("95.92 Mbps", "69.80 Mbps", "67.36 Mbps", "32.97 Mbps", "16.22 Mbps"),
                "mean of each airport",
                of.OOKLA_AIRPORTS,
            ),
            "rtt": Figure(
                _around("20 ms", 1.26),
                "log-normal through median (20 ms) and 90th percentile (100 ms) of the Wi-Fi hop",
                of.WIFI_HOP,
            ),
            "half_duplex": Figure(True, "stations take turns on one medium", of.WIFI),
        },
    ),
    "adsl": Preset(
        "ADSL",
        {
            "down": Figure("9.1 Mbps", "mean at peak time", of.COMCOM),
            "up": Figure("0.8 Mbps", "mean at peak time", of.COMCOM),
            "rtt": Figure("49 ms", "mean of DSL at peak time, to the provider's edge", of.FCC),
        },
    ),
    "vdsl": Preset(
        "VDSL",
        {
            "down": Figure("43 Mbps", "mean at peak time", of.COMCOM),
            "up": Figure("12.6 Mbps", "mean at peak time", of.COMCOM),
            "rtt": Figure("49 ms", "mean of DSL at peak time, to the provider's edge", of.FCC),
        },
    ),
    "cable": Preset(
        "cable",
        {
            "down": Figure("238.9 Mbps", "median of Xfinity", of.OOKLA_FIXED),
            "up": Figure("22.89 Mbps", "median of Xfinity", of.OOKLA_FIXED),
            "rtt": Figure("32 ms", "mean at peak time, to the provider's edge", of.FCC),
        },
    ),
    "fibre": Preset(
        "fibre to the home",
        {
            "down": Figure("98.6 Mbps", "mean at peak time of plans of 100 Mbps", of.COMCOM),
            "up": Figure("21.2 Mbps", "mean at peak time of plans of 100 Mbps", of.COMCOM),
            "rtt": Figure("24 ms", "mean at peak time, to the provider's edge", of.FCC),
        },
    ),
    "geo": Preset(
        "geostationary satellite",
        {
            "down": Figure(
                _between("18.13 Mbps", "19.73 Mbps"),
                "medians of Viasat and HughesNet",
                of.OOKLA_GEO,
            ),
            "up": Figure(
                _between("2.43 Mbps", "3.38 Mbps"),
                "medians of HughesNet and Viasat",
                of.OOKLA_GEO,
            ),
            "rtt": Figure(
                _between("630 ms", "724 ms"),
                "medians of Viasat and HughesNet",
                of.OOKLA_GEO_RTT,
            ),
        },
    ),
    "leo": Preset(
        "satellite in low orbit",
        {
            "down": Figure("104.71 Mbps", "median of Starlink", of.OOKLA_LEO),
            "up": Figure("14.84 Mbps", "median of Starlink", of.OOKLA_LEO),
            "rtt": Figure(
                _around("33 ms", 0.29),
                "log-normal through median (33 ms) and 99th percentile (65 ms) at peak hours",
                of.SPACEX,
            ),
        },
    ),
    "lte-m": Preset(
        "LTE-M (Cat-M1), half duplex",
        {
            "down": Figure("300 kbps", "peak rate with scheduling delays", of.CAT_M1),
            "up": Figure("375 kbps", "peak rate with scheduling delays", of.CAT_M1),
            "rtt": Figure(_between("50 ms", "100 ms"), "range of the latency", of.ARDUINO),
            "half_duplex": Figure(True, "HD-FDD, which these rates are of", of.CAT_M1),
        },
    ),
    "nb-iot": Preset(
        "NB-IoT (Cat-NB1), half duplex",
        {
            "down": Figure("26 kbps", "peak rate", of.CAT_NB1),
            "up": Figure("62 kbps", "peak rate", of.CAT_NB1),
            "rtt": Figure(_between("1.6 s", "10 s"), "range of the latency", of.CAT_NB1),
            "half_duplex": Figure(True, "Cat-NB1 HD-FDD", of.NRF),
        },
    ),
}
