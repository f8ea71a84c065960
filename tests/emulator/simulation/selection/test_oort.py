"""Oort selects fast clients more often."""


def test_oort_prefers_the_fast(played, transfers_of):
    up = {"kind": "choice", "values": ["8 Mbps", "0.08 Mbps"], "weights": [1, 1]}
    keys = {"clients": {"down": "8 Mbps", "up": up}, "training": {"rounds": 60, "cohort": 5}}
    oort, _ = played(selection="oort", **keys)
    uniform, _ = played("synchronous", **keys)

    def slow(rows):
        ups = [t for t in transfers_of(rows, direction="up") if t.round > 20]
        return sum(t.finish_s - t.start_s > 1 for t in ups) / len(ups)

    assert slow(oort) < 0.5 * slow(uniform)
