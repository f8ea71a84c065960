"""The publications that the presets' figures were taken from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A publication: `url` is where its figures can be read, `by` who reports them there.

    `year` is None where there is no date on it.
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
OFCOM_2024_SHARES = Source(
    "Ofcom",
    "Mobile Matters, October 2023 to March 2024",
    2024,
    "https://geekabit.co.uk/category/ofcom",
    "Geekabit",
)
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
OOKLA_GEO_RTT = Source(
    "Ookla",
    "How Starlink's Satellite Internet Stacks Up Against HughesNet and Viasat, April to June 2021",
    2021,
    "https://rcrwireless.com/20210804/carriers/nice-link-if-you-can-get-it-"
    "starlink-outpaces-other-satellite-providers-and-sometimes-even-fixed-broadband",
    "RCR Wireless",
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
