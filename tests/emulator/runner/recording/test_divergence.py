"""A network that decides alike trains nothing; one that does not trains from there on."""

from emulator.scenario.scenario import Scenario
from emulator.simulation.records import Round, Transfer
from emulator.simulation.simulate import simulate

SPREAD = {
    "down": "8 kbps",
    "up": {"kind": "lognormal", "median": "2 kbps", "sigma": 0.3},
    "rtt": "20 ms",
}


def scenario(policy="synchronous", **clients):
    return Scenario.model_validate(
        {
            "name": "forked",
            "task": {"name": "20newsgroups", "clients": 20},
            "training": {"rounds": 12, "cohort": 5},
            "methods": {"LoRA": {"kind": "lora"}},
            "network": {
                "server": {"down": "1 Gbps", "up": "1 Gbps"},
                "clients": {**SPREAD, **clients},
                "transport": "fluid",
            },
            "policy": policy,
        }
    )


def deadline(seconds):
    return {"kind": "deadline", "deadline": f"{seconds:.9f} s"}


def lengths(rows):
    return [row.finish_s - row.start_s for row in rows if isinstance(row, Round)]


def test_a_deadline_that_drops_nobody_trains_nothing(bench):
    trainer = bench.open()
    rows = simulate(scenario(), 0, trainer)
    assert trainer.trained == 12
    trainer.restart()
    assert simulate(scenario(deadline(max(lengths(rows)) + 1)), 0, trainer) == rows
    assert trainer.trained == 12


def test_a_deadline_trains_from_the_round_that_it_cuts_short(bench, tmp_path):
    trainer = bench.open()
    took_s = lengths(simulate(scenario(), 0, trainer))
    # A limit that some round after the third is the first to break.
    longest = max(range(12), key=lambda k: took_s[k] if k > 2 else 0)
    limit_s = max(took_s[:longest]) if longest else 0
    assert limit_s < took_s[longest], "pick another seed: an early round is the longest"
    cut = scenario(deadline((limit_s + took_s[longest]) / 2))
    trainer.restart()
    rows = simulate(cut, 0, trainer)
    dropped = {t.round for t in rows if isinstance(t, Transfer) and t.outcome == "late"}
    assert min(dropped) == longest + 1
    assert trainer.trained == 12 + (12 - longest)
    assert trainer.trained == 12 + (12 - longest)
    trainer.close()
    fresh = type(bench)(tmp_path / "fresh", []).open()
    assert simulate(cut, 0, fresh) == rows
    assert (fresh.trained, fresh.replayed) == (12, 0)


def test_asynchronous_runs_resume_and_reuse(bench, tmp_path):
    buffered = {"kind": "buffered", "concurrency": 8, "buffer": 3}
    trainer = bench.open()
    simulate(scenario(), 0, trainer)
    trainer.restart()
    rows = simulate(scenario(buffered), 0, trainer)
    assert max(t.staleness for t in rows if isinstance(t, Transfer)) > 0
    trainer.close()
    again = bench.open()
    assert simulate(scenario(buffered), 0, again) == rows
    assert again.trained == 0
    # Other links with the same order of arrivals decide alike; others lead elsewhere.
    again.restart()
    slower = {"kind": "lognormal", "median": "1 kbps", "sigma": 0.9}
    elsewhere = simulate(scenario(buffered, up=slower), 0, again)
    fresh = type(bench)(tmp_path / "fresh", []).open()
    assert simulate(scenario(buffered, up=slower), 0, fresh) == elsewhere
    assert not again._uploads
    assert not again._downloads
