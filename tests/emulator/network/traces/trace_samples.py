"""The samples of each format in tests/data, and what they hold, written down by hand."""

from fractions import Fraction
from pathlib import Path

DATA = Path(__file__).parents[3] / "data"
COLUMNS = {
    "columns": {"time": "when", "down": "speed (kbps)", "up": "sent"},
    "time_format": "%Y-%m-%d %H:%M:%S CDT",
}


def pieces(unit_bps, *of):
    """[(seconds, bytes/s)] of one period."""
    return [(Fraction(str(s)), Fraction(str(rate)) * unit_bps / 8) for s, rate in of]


COOKED = pieces(10**6, (0.5, 4), (1, 1.2), (0.75, 0), (0.75, 9.6), (1.5, 3.2))
SABRE = pieces(1000, (0.7, 1600), (1.013, 4480), (0.45, 0), (2.2005, 2720))
HSDPA = [
    (Fraction(1010, 1000), Fraction(150200 * 1000, 1010)),
    (Fraction(1), Fraction(249300)),
    (Fraction(1120, 1000), Fraction(90150 * 1000, 1120)),
    (Fraction(990, 1000), Fraction(0)),
    (Fraction(2030, 1000), Fraction(401700 * 1000, 2030)),
]
GHENT = [
    (Fraction(1001, 1000), Fraction(812300 * 1000, 1001)),
    (Fraction(999, 1000), Fraction(604100 * 1000, 999)),
    (Fraction(1001, 1000), Fraction(1280400 * 1000, 1001)),
]
IRISH_DOWN = pieces(1000, (1, 1600), (1, 3200), (1, 4800), (1, 0), (1, 7600))
IRISH_UP = pieces(1000, (1, 40), (1, 64), (1, 72), (1, 0), (1, 208))
CSV = pieces(10**6, (10, 20), (5, 8), (3, 0), (3, 12))
NAMED_DOWN = pieces(1000, (1, 2400), (2, 800), (1, 0), (1, 5600))
NAMED_UP = pieces(10**6, (1, 0.6), (2, 0.2), (1, 0), (1, 1.1))
MAHIMAHI = [
    (Fraction(100, 1000), Fraction(4 * 15040)),
    (Fraction(100, 1000), Fraction(15040)),
    (Fraction(10, 1000), Fraction(150400)),
]

# (file, keys beside it, the pieces of both directions)
SAMPLES = [
    ("capacity_sample.csv", {}, CSV, [(s, rate / 4) for s, rate in CSV]),
    ("mahimahi_sample.trace", {}, MAHIMAHI, MAHIMAHI),
    ("cooked_sample.txt", {}, COOKED, COOKED),
    ("sabre_sample.json", {}, SABRE, SABRE),
    ("hsdpa_sample.log", {}, HSDPA, HSDPA),
    ("ghent_sample.log", {}, GHENT, GHENT),
    ("irish_sample.csv", {}, IRISH_DOWN, IRISH_UP),
    ("columns_sample.csv", COLUMNS | {"unit": None}, NAMED_DOWN, None),
    ("columns_sample.csv", {**COLUMNS, "columns": {"time": "when", "up": "sent"}, "unit": "Mbps"},
     None, NAMED_UP),
]  # fmt: skip


def seconds(pieces_of, nbytes):
    """When the integral of the rates, which repeat, reaches `nbytes`, exactly."""
    passed_s, left = Fraction(0), Fraction(nbytes)
    per_period = sum(s * rate for s, rate in pieces_of)
    whole = left // per_period
    if whole * per_period == left:
        whole -= 1
    passed_s, left = whole * sum(s for s, _ in pieces_of), left - whole * per_period
    for lasting_s, rate in pieces_of:
        if rate and left <= lasting_s * rate:
            return passed_s + left / rate
        passed_s, left = passed_s + lasting_s, left - lasting_s * rate
    raise AssertionError("the bytes of a period were divided out")


def steps(profile, until_s):
    """[(time, rate)] of its pieces."""
    now_s, found = 0.0, []
    while now_s < until_s:
        rate_Bps, then_s = profile.piece(now_s)
        found.append((now_s, rate_Bps))
        now_s = then_s
    return found
