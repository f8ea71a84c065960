"""Differential privacy is refused with settings that its account does not cover."""

import pytest
from pydantic import ValidationError

from .small_scenario import POISSON, scenario


@pytest.mark.parametrize(
    "keys",
    [
        {"policy": {"kind": "deadline", "deadline": "9 s"}},
        {"selection": "oort"},
        {"compute": {"max_rank": 8}},
        {"methods": {"H": {"kind": "het_lora", "tiers": [{"share": 1, "rank": 2}]}}},
        {"methods": {"S": {"kind": "sparse_adapter", "density": 0.5, "score": "snip"}}},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_privacy_goes_with_what_its_account_is_of(keys):
    with pytest.raises(ValidationError, match=r"found it with"):
        scenario({"dp": POISSON}, **keys)


def test_privacy_goes_with_clients_that_are_always_there():
    link = {"down": "8 Mbps", "up": "1 Mbps"}
    leaving = {"clients": link | {"availability": {"kind": "on_off", "on": "9 s", "off": "1 s"}}}
    with pytest.raises(ValidationError, match=r"found it with clients that are not always"):
        scenario({"dp": POISSON}, leaving)
