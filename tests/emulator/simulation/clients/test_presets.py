"""Access networks by name: every figure has a source, and the guide shows them as they are."""

import re
from pathlib import Path
from statistics import NormalDist
from typing import get_args

import pytest
from pydantic import ValidationError

from emulator.simulation.clients import fleet
from emulator.simulation.clients.fleet import draw_fleet
from emulator.simulation.clients.links import AccessLink, Network
from emulator.simulation.clients.presets import PRESETS, PresetName

PAGE = Path(__file__).parents[4] / "docs/reference/network_presets.md"
SERVER = {"down": "1 Gbps", "up": "1 Gbps"}
every_preset = pytest.mark.parametrize("name", PRESETS)


def test_every_name_is_a_preset():
    assert get_args(PresetName) == tuple(PRESETS)


@every_preset
def test_a_preset_is_an_access_link(name):
    assert {"down", "up", "rtt"} <= PRESETS[name].figures.keys()
    network = Network.model_validate({"server": SERVER, "clients": {"preset": name}})
    clients = draw_fleet(network, None, 500, 0)
    assert (clients.delay_s > 0).all()
    assert clients.half_duplex.all() == ("half_duplex" in PRESETS[name].figures)


@every_preset
def test_every_figure_says_what_it_is_and_who_says_so(name):
    assert PRESETS[name].about
    for figure in PRESETS[name].figures.values():
        assert figure.what
        assert figure.source.publisher
        assert figure.source.title
        assert figure.source.year is None or 2010 <= figure.source.year <= 2030
        assert figure.source.url.startswith("http")


def test_laws_go_through_the_shares_that_their_sources_give():
    def beyond(name, key, unit):
        distribution = PRESETS[name].figures[key].value
        median = float(distribution["median"].removesuffix(unit))
        return lambda x: NormalDist(0, distribution["sigma"]).cdf(fleet.np.log(x / median))

    down = beyond("4g", "down", " Mbps")
    assert (down(2), 1 - down(100)) == pytest.approx((0.05, 0.11), abs=0.002)
    down = beyond("5g", "down", " Mbps")
    assert (down(2), 1 - down(100)) == pytest.approx((0.01, 0.47), abs=0.002)
    assert beyond("wifi", "rtt", " ms")(100) == pytest.approx(0.9, abs=0.002)
    assert beyond("leo", "rtt", " ms")(65) == pytest.approx(0.99, abs=0.002)


def test_what_is_beside_a_preset_replaces_it():
    access = AccessLink.model_validate({"preset": "3g", "rtt": "1 s", "loss": "1 %"})
    assert (access.preset, access.down, access.up) == ("3g", 5.9e6, 1.6e6)
    assert (access.rtt, access.loss) == (1.0, 0.01)


def test_a_preset_that_nothing_is_left_of_is_a_mistake():
    own = {"down": "1 Mbps", "up": "1 Mbps", "rtt": "1 ms"}
    assert AccessLink.model_validate(own | {"preset": None}).preset is None
    with pytest.raises(ValidationError, match="found preset with down, up, rtt beside it"):
        AccessLink.model_validate(own | {"preset": "3g"})


def test_a_wrong_name_is_the_only_thing_at_fault():
    with pytest.raises(ValidationError) as caught:
        AccessLink.model_validate({"preset": "6g"})
    assert [error["loc"] for error in caught.value.errors()] == [("preset",)]


# -- the guide


def written(value):
    """A figure as the guide's table has it."""
    match value:
        case {"kind": "uniform", "low": low, "high": high}:
            return f"{low} to {high}"
        case {"kind": "lognormal", "median": median, "sigma": sigma}:
            return f"{median}, sigma {sigma}"
        case {"kind": "empirical", "values": values}:
            return "one of " + ", ".join(values)
        case {"ratio": ratio}:
            return f"{ratio} of down"
        case True:
            return "true"
    return value


def table():
    """Rows of the guide's table: a line a figure, its source linked."""
    for name, preset in PRESETS.items():
        for key, figure in preset.figures.items():
            source = figure.source
            year = f" ({source.year})" if source.year else ""
            by = f", by way of {source.by}" if source.by else ""
            yield (
                f"| {name} | {key} | {written(figure.value)} | {figure.what} "
                f"| {source.publisher}: [{source.title}]({source.url}){year}{by} |"
            )


def test_the_guide_shows_every_figure_and_no_other():
    rows = re.findall(
        r"^\| [\w-]+ \| (?:down|up|rtt|loss|half_duplex) \|.*$", PAGE.read_text(), re.M
    )
    assert rows == list(table())
