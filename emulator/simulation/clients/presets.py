"""Access network presets; each figure has the public source that it was taken from.

Measured figures are those of the users of one country at the time; a scenario may replace any.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

PresetName = Literal[
    "3g", "4g", "5g", "wifi", "adsl", "vdsl", "cable", "fibre", "geo", "leo", "lte-m", "nb-iot"
]


@dataclass(frozen=True)
class Source:
    """A publication; `url` shows its figures, `by` is the site that reports them, if another.

    `year` is None if the publication has no date.
    """

    publisher: str
    title: str
    year: int | None
    url: str
    by: str = ""


OFCOM_2014 = Source(
    "Ofcom",
    "Measuring mobile broadband performance in the UK, October to December 2014",
    2015,
    "http://www.mobilenewscwp.co.uk/2015/04/02/ofcom-4g-meeting-consumer-expectations/",
    "Mobile News",
)
OFCOM_2023 = Source(
    "Ofcom",
    "Mobile Matters, October 2022 to March 2023",
    2023,
    "https://www.ispreview.co.uk/index.php/2023/07/"
    "ofcom-publish-benchmarks-of-uk-5g-4g-and-3g-mobile-networks.html",
    "ISPreview",
)
OFCOM_2024 = Source(
    "Ofcom",
    "Mobile Matters, October 2023 to March 2024",
    2024,
    "https://www.ofcom.org.uk/phones-and-broadband/mobile-phones/"
    "which-mobile-operator-has-the-longest-file-download-time/",
)
OFCOM_2024_SHARES = replace(OFCOM_2024, url="https://geekabit.co.uk/category/ofcom", by="Geekabit")
OOKLA_AIRPORTS = Source(
    "Ookla",
    "Fastest airport Wi-Fi, five Canadian airports",
    2019,
    "https://mobilesyrup.com/2019/08/27/ookla-best-wifi-airport-canada/",
    "MobileSyrup",
)
WIFI_HOP = Source(
    "IEEE INFOCOM",
    "WiFi can be the weakest link of round trip network latency in the wild",
    2016,
    "https://paperexplained.cn/articles/paper/detail/aadd9fa14b6597dd00f5d77157bad602709f7d33",
)
COMCOM = Source(
    "New Zealand Commerce Commission",
    "Measuring Broadband New Zealand, December edition",
    None,
    "https://www.zdnet.com/home-and-office/networking/"
    "new-zealand-100mbps-fibre-plans-delivering-99-of-promised-speeds/",
    "ZDNet",
)
FCC = Source(
    "FCC",
    "Measuring Broadband America",
    None,
    "https://blog.josephscott.org/tag/webperf/page/7/",
    "Joseph Scott",
)
OOKLA_FIXED = Source(
    "Ookla",
    "Speedtest Intelligence, United States, October to December 2023",
    2024,
    "https://www.wirelessdealergroup.com/post/"
    "cox-and-at-t-lead-speed-rankings-in-latest-ookla-report",
    "Wireless Dealer Group",
)
OOKLA_GEO = Source(
    "Ookla",
    "How Starlink's Satellite Internet Stacks Up Against HughesNet and Viasat, April to June 2021",
    2021,
    "https://www.ookla.com/articles/starlink-hughesnet-viasat-performance-q2-2021",
)
OOKLA_GEO_RTT = replace(
    OOKLA_GEO,
    url="https://rcrwireless.com/20210804/carriers/nice-link-if-you-can-get-it-"
    "starlink-outpaces-other-satellite-providers-and-sometimes-even-fixed-broadband",
    by="RCR Wireless",
)
OOKLA_LEO = Source(
    "Ookla",
    "Starlink in the United States, January to March 2025",
    2025,
    "https://www.telecompetitor.com/starlink-shows-gains-in-speed-test-report/",
    "Telecompetitor",
)
SPACEX = Source(
    "SpaceX",
    "Improving Starlink's Latency",
    2024,
    "https://teslanorth.com/2024/03/09/starlink-achieves-breakthrough-in-reducing-network-latency/",
    "Tesla North",
)
CAT_M1 = Source(
    "RF Wireless World",
    "LTE-M Device Categories: Cat-0, Cat-M1, and Cat-M2 Explained",
    None,
    "https://rfwireless-world.com/terminology/mobile-communication/"
    "lte-m-device-categories-cat-0-cat-m1-cat-m2",
)
ARDUINO = Source(
    "Arduino",
    "Portenta Max Carrier: Cat-M1 and NB-IoT",
    None,
    "https://github.com/arduino/docs-content/commit/ebb04f437bcb02fc82b0b228f7172ece5139569d",
)
CAT_NB1 = Source(
    "mbedded.ninja",
    "Cellular Communication Protocols",
    2024,
    "https://blog.mbedded.ninja/electronics/communication-protocols/cellular",
)
NRF = Source(
    "Nordic Semiconductor",
    "Product specification, LTE modem: supported LTE standards",
    None,
    "https://docs.nordicsemi.com/r/8x61OyWhjf9N2ZuIjPOCUA/7Mq77iMQ5grEPdaE12oK1g",
)
WIFI = Source(
    "ISO/IEC/IEEE",
    "8802-11:2022, Wireless LAN medium access control (MAC) and physical layer (PHY)",
    2022,
    "https://theiteh.com/catalog/standards/iso/ca6bd113-7bb9-4e6f-bb84-93b14073f1c5/"
    "iso-iec-ieee-8802-11-2022",
)


@dataclass(frozen=True)
class Figure:
    """A value as in a scenario, and its meaning in its source."""

    value: object
    what: str
    source: Source


@dataclass(frozen=True)
class Preset:
    """An access network: figures by the scenario key that they fill in."""

    about: str
    figures: Mapping[str, Figure]

    def settings(self) -> dict[str, object]:
        """{key: value}, as in a scenario."""
        return {key: figure.value for key, figure in self.figures.items()}


def _preset(about: str, **figures: Figure) -> Preset:
    return Preset(about, figures)


def _between(low: str, high: str) -> dict[str, object]:
    return {"kind": "uniform", "low": low, "high": high}


def _around(median: str, sigma: float) -> dict[str, object]:
    return {"kind": "lognormal", "median": median, "sigma": sigma}


def _one_of(*values: str) -> dict[str, object]:
    return {"kind": "empirical", "values": list(values)}


PRESETS: dict[PresetName, Preset] = {
    "3g": _preset(
        "3G phones in British cities",
        down=Figure("5.9 Mbps", "mean", OFCOM_2014),
        up=Figure("1.6 Mbps", "mean", OFCOM_2014),
        rtt=Figure("63.5 ms", "mean", OFCOM_2014),
    ),
    "4g": _preset(
        "4G phones in Britain",
        down=Figure(
            _around("18.8 Mbps", 1.36),
            "log-normal through two shares: 5 % below 2 Mbps, 11 % at 100 Mbps or more",
            OFCOM_2024_SHARES,
        ),
        up=Figure({"ratio": "76/295"}, "means: 7.6 Mbps up, 29.5 down", OFCOM_2023),
        rtt=Figure(
            _between("18.3 ms", "23.7 ms"),
            "means of the fastest and the slowest operator",
            OFCOM_2024,
        ),
    ),
    "5g": _preset(
        "5G phones in Britain",
        down=Figure(
            _around("88.5 Mbps", 1.63),
            "log-normal through two shares: 1 % below 2 Mbps, 47 % at 100 Mbps or more",
            OFCOM_2024_SHARES,
        ),
        up=Figure({"ratio": "147/1299"}, "means: 14.7 Mbps up, 129.9 down", OFCOM_2023),
        rtt=Figure(
            _between("16.3 ms", "21.4 ms"),
            "means of the fastest and the slowest operator",
            OFCOM_2024,
        ),
    ),
    "wifi": _preset(
        "public Wi-Fi, one medium for both directions",
        down=Figure(
            _one_of("69.22 Mbps", "58.97 Mbps", "51.44 Mbps", "30.74 Mbps", "36.31 Mbps"),
            "mean of each airport",
            OOKLA_AIRPORTS,
        ),
        up=Figure(
            _one_of("95.92 Mbps", "69.80 Mbps", "67.36 Mbps", "32.97 Mbps", "16.22 Mbps"),
            "mean of each airport",
            OOKLA_AIRPORTS,
        ),
        rtt=Figure(
            _around("20 ms", 1.26),
            "log-normal through median (20 ms) and 90th percentile (100 ms) of the Wi-Fi hop",
            WIFI_HOP,
        ),
        half_duplex=Figure(True, "stations take turns on one medium", WIFI),
    ),
    "adsl": _preset(
        "ADSL",
        down=Figure("9.1 Mbps", "mean at peak time", COMCOM),
        up=Figure("0.8 Mbps", "mean at peak time", COMCOM),
        rtt=Figure("49 ms", "mean of DSL at peak time, to the provider's edge", FCC),
    ),
    "vdsl": _preset(
        "VDSL",
        down=Figure("43 Mbps", "mean at peak time", COMCOM),
        up=Figure("12.6 Mbps", "mean at peak time", COMCOM),
        rtt=Figure("49 ms", "mean of DSL at peak time, to the provider's edge", FCC),
    ),
    "cable": _preset(
        "cable",
        down=Figure("238.9 Mbps", "median of Xfinity", OOKLA_FIXED),
        up=Figure("22.89 Mbps", "median of Xfinity", OOKLA_FIXED),
        rtt=Figure("32 ms", "mean at peak time, to the provider's edge", FCC),
    ),
    "fibre": _preset(
        "fibre to the home",
        down=Figure("98.6 Mbps", "mean at peak time of plans of 100 Mbps", COMCOM),
        up=Figure("21.2 Mbps", "mean at peak time of plans of 100 Mbps", COMCOM),
        rtt=Figure("24 ms", "mean at peak time, to the provider's edge", FCC),
    ),
    "geo": _preset(
        "geostationary satellite",
        down=Figure(
            _between("18.13 Mbps", "19.73 Mbps"), "medians of Viasat and HughesNet", OOKLA_GEO
        ),
        up=Figure(_between("2.43 Mbps", "3.38 Mbps"), "medians of HughesNet and Viasat", OOKLA_GEO),
        rtt=Figure(_between("630 ms", "724 ms"), "medians of Viasat and HughesNet", OOKLA_GEO_RTT),
    ),
    "leo": _preset(
        "satellite in low orbit",
        down=Figure("104.71 Mbps", "median of Starlink", OOKLA_LEO),
        up=Figure("14.84 Mbps", "median of Starlink", OOKLA_LEO),
        rtt=Figure(
            _around("33 ms", 0.29),
            "log-normal through median (33 ms) and 99th percentile (65 ms) at peak hours",
            SPACEX,
        ),
    ),
    "lte-m": _preset(
        "LTE-M (Cat-M1), half duplex",
        down=Figure("300 kbps", "peak rate with scheduling delays", CAT_M1),
        up=Figure("375 kbps", "peak rate with scheduling delays", CAT_M1),
        rtt=Figure(_between("50 ms", "100 ms"), "range of the latency", ARDUINO),
        half_duplex=Figure(True, "HD-FDD, which these rates are of", CAT_M1),
    ),
    "nb-iot": _preset(
        "NB-IoT (Cat-NB1), half duplex",
        down=Figure("26 kbps", "peak rate", CAT_NB1),
        up=Figure("62 kbps", "peak rate", CAT_NB1),
        rtt=Figure(_between("1.6 s", "10 s"), "range of the latency", CAT_NB1),
        half_duplex=Figure(True, "Cat-NB1 HD-FDD", NRF),
    ),
}
