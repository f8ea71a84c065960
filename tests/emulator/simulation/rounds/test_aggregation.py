"""Which clients are available, and what happens while none is."""

import pytest

from emulator.common.errors import EmulationError
from emulator.simulation.clients import fleet
from emulator.simulation.records import Round, Transfer
from emulator.simulation.simulate import simulate

from .test_client_task import POLICIES


def test_a_round_waits_for_somebody(scenario, noting):
    day = {"kind": "diurnal", "start": "5 s", "length": "1 s", "period": "10 s"}
    clients = {"down": "8 Mbps", "up": "8 Mbps", "availability": day}
    rows = simulate(scenario("synchronous", {"rounds": 2}, clients), 0, noting())
    first, second = [row for row in rows if isinstance(row, Round)]
    assert (first.start_s, first.cohort) == (0.0, 10)
    assert min(r.start_s for r in rows if isinstance(r, Transfer)) == pytest.approx(5.0)
    assert second.finish_s < 6.0


def test_only_those_who_are_there_are_asked(scenario, noting, transfers_of):
    groups = {
        "there": {"share": 1, "down": "8 Mbps", "up": "8 Mbps"},
        "away": {"share": 2, "down": "8 Mbps", "up": "8 Mbps", "availability": {
            "kind": "diurnal", "start": "1 h", "length": "1 h"}},
    }  # fmt: skip
    small = scenario("synchronous", {"rounds": 3, "cohort": 20})
    network = small.network.model_validate(
        {"server": {"down": "1 Gbps", "up": "1 Gbps"}, "groups": groups}
    )
    rows = simulate(small.model_copy(update={"network": network}), 0, noting())
    built = fleet.draw_fleet(network, None, 30, 0)
    assert {t.client for t in transfers_of(rows)} == {i for i in range(30) if built.group[i] == 0}
    assert {row.cohort for row in rows if isinstance(row, Round)} == {10}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_fleet_that_is_never_there_is_an_error(scenario, noting, tmp_path, policy):
    trace = tmp_path / "trace.json"
    trace.write_text('{"1": {"active": [], "inactive": [], "finish_time": 9}}')
    never = {"kind": "trace", "file": str(trace)}
    clients = {"down": "8 Mbps", "up": "8 Mbps", "availability": never}
    with pytest.raises(EmulationError, match="no client is available after 0 ms"):
        simulate(scenario(policy, clients=clients), 0, noting())
