"""Which messages are re-enacted: a round's own, with its sizes, links and pauses."""

from dataclasses import replace

import pytest

from emulator.common.errors import EmulationError, ScenarioError
from emulator.runner import inputs
from emulator.simulation.records import Transfer
from emulator.simulation.simulate import simulate
from emulator.simulation.trainer import StubTrainer
from emulator.testbed import cases

COMPUTE = "compute: {per_example: {kind: uniform, low: 5 ms, high: 20 ms}}\n"


@pytest.fixture
def varied(scenario):
    """The scenario of the toys, with changes: (variant's scenario, rows of two rounds)."""

    def emulated(*overrides, extra=""):
        path = scenario()
        path.write_text(path.read_text() + extra)
        found = inputs.read(path, overrides).variants["slow"]
        return found, simulate(found, 0, StubTrainer(down_bytes=90_000, up_bytes=30_000))

    return emulated


@pytest.mark.parametrize("transport", ["tcp", "fluid"])
@pytest.mark.parametrize("extra", ["", COMPUTE])
def test_a_round_alone_takes_what_it_took_in_the_emulation(varied, transport, extra):
    found, rows = varied(f"network.transport={transport}", extra=extra)
    case = cases.case("LoRA", "slow", found, 0, rows, 3)
    emulated = {
        (r.client, r.direction): r for r in rows if isinstance(r, Transfer) and r.round == 3
    }
    assert len(case.messages) == len(emulated) == 6
    for message, delivery in zip(case.messages, case.simulated, strict=True):
        row = emulated[case.clients[message.client], message.direction]
        assert message.nbytes == row.nbytes
        took_s = delivery.finish_s - delivery.start_s
        assert took_s == pytest.approx(row.finish_s - row.start_s, rel=1e-9)
    starts_s = [row.start_s for row in emulated.values()]
    ends_s = [row.finish_s for row in emulated.values()]
    assert case.makespan_s == pytest.approx(max(ends_s) - min(starts_s), rel=1e-9)


def test_an_upload_follows_its_download_after_the_computation(varied):
    found, rows = varied(extra=COMPUTE)
    case = cases.case("LoRA", "slow", found, 0, rows, 1)
    ups = [message for message in case.messages if message.direction == "up"]
    assert len(ups) == 3
    for up in ups:
        assert 32 * 0.005 <= up.start_s <= 32 * 0.02
        assert case.messages[up.after].direction == "down"
        assert case.messages[up.after].client == up.client


def test_what_crosses_at_once_is_bounded_by_the_links(varied):
    found, rows = varied()
    case = cases.case("LoRA", "slow", found, 0, rows, 1)
    assert case.at_once == pytest.approx(3 * 20e6 / 8)
    narrow = replace(case, star=replace(case.star, server_up_Bps=1e5, server_down_Bps=2e5))
    assert narrow.at_once == 3e5


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("network.clients.loss=1 %", "found loss; allowed: none"),
        ("network.application=grpc", "found application grpc (1 request per message, gRPC, kept"),
        ("network.application={requests: 4, tls: true}", "found application raw (4 requests"),
        ("network.clients.half_duplex=true", "found cells or half-duplex links"),
        (
            "network.clients.cells={clients: 5, down: 50 Mbps, up: 50 Mbps}",
            "found cells or half-duplex links",
        ),
        (
            "network.clients.down={kind: diurnal, mean: 5 Mbps, depth: 0.5}",
            "found rates that change (clients down by diurnal)",
        ),
    ],
)
def test_what_cannot_be_re_enacted_is_refused(varied, override, said):
    found, rows = varied(override)
    with pytest.raises(EmulationError, match="LoRA, slow: ") as caught:
        cases.case("LoRA", "slow", found, 0, rows, 1)
    assert said in caught.value.message


def test_requests_are_measured_and_simulated(varied):
    case = cases.case("LoRA", "slow", *first(varied()), 1)
    found = cases.case("LoRA", "slow", *first(varied("network.application.requests=8")), 1)
    assert {message.requests for message in case.messages} == {1}
    assert {message.requests for message in found.messages} == {8}
    # Seven further round trips each way, and up to two of slow start less.
    assert found.makespan_s > case.makespan_s + 2 * (7 - 2) * 0.04


def first(found_and_rows):
    found, rows = found_and_rows
    return found, 0, rows


def test_too_many_clients_are_refused(varied):
    found, rows = varied("task.clients=300", "training.cohort=101")
    with pytest.raises(EmulationError, match="found 101 clients in a round; allowed: 100"):
        cases.case("LoRA", "slow", found, 0, rows, 1)


def test_the_limit_counts_every_repetition(case):
    each_s = case.makespan_s + cases.SETUP_S
    cases.check_limit([case, case], 3, 6 * each_s + 0.01)
    with pytest.raises(EmulationError, match="s of measurements; allowed: 1 s"):
        cases.check_limit([case, case], 3, 1)


def test_names_and_rounds_that_are_not_there(scenario, tmp_path):
    path = scenario()
    found = inputs.read(path, only=["LoRA"])
    with pytest.raises(ScenarioError, match="--variant: found 'slwo'; allowed: fast") as caught:
        cases.cases(found, path, tmp_path, ["slwo"], 1)
    assert "did you mean 'slow'?" in caught.value.hint
    with pytest.raises(ScenarioError, match="--round: found 5; allowed: 1 to 4"):
        cases.cases(found, path, tmp_path, [], 5)
    with pytest.raises(EmulationError, match="LoRA: found 0 recorded rounds") as caught:
        cases.cases(found, path, tmp_path, [], 4)
    assert caught.value.hint == f"run it first: flasc-emu run {path} --method LoRA"
