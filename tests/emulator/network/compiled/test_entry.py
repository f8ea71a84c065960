"""Closed forms for the compiled network, without a fleet."""

import math

import numpy as np
import pytest

from emulator.network.compiled import entry, layout


def run(
    down_Bps, up_Bps, server_Bps, down_B, up_B, *, compute_s=0.0, cell=None, cell_Bps=(), half=()
):
    """Finish times of the uploads of one round in which all clients take part."""
    count = len(down_Bps)
    parties = [np.array([*rates, *cell_Bps, server_Bps], float) for rates in (down_Bps, up_Bps)]
    cells = np.full(count, -1) if cell is None else count + np.array(cell)
    flags = np.array([*[0] * count, *(half or [0] * len(cell_Bps)), 0])
    world = layout.build(np.stack(parties), np.zeros(count), cells, flags, count, 6 * count)
    start_s, finish_s = np.zeros(1), np.zeros(1)
    tasks = [np.arange(count), *(np.full(count, nbytes) for nbytes in (down_B, up_B))]
    seconds = np.full(count, float(compute_s))
    first, until = np.array([0, count]), (np.array([count]), math.inf)
    assert entry.run_rounds(
        *world, first, *tasks, seconds, start_s, finish_s, *until, 0, False
    ) == (1, layout.ENDED)
    rows = world.ints(layout.ROW_KIND)[: 3 * count] == layout.UPLOAD_ROW
    finished = dict(
        zip(
            world.ints(layout.ROW_TASK)[: 3 * count][rows].tolist(),
            world.floats(layout.FINISH_S)[: 3 * count][rows].tolist(),
            strict=True,
        )
    )
    assert finish_s[0] == max(finished.values())
    return [finished[client] for client in range(count)]


def test_a_client_alone_takes_the_sum_of_its_parts():
    assert run([100], [10], math.inf, 1000, 50, compute_s=3) == [10 + 3 + 5]


def test_flows_share_a_link_in_turn_with_their_own_limits():
    # 60 B/s for three: one at its 10, two at 25; 500 B down each, nothing up.
    times_s = run([10, 100, 100], [1e9] * 3, 60, 500, 0)
    assert times_s == pytest.approx([50, 20, 20], rel=1e-12)


def test_a_share_that_is_set_free_goes_to_the_others():
    # 100 B/s for two, of whom one has 30 B/s: 70 for the other, who ends after 10 s.
    assert run([30, 1000], [1e9] * 2, 100, 700, 0) == pytest.approx([700 / 30, 10], rel=1e-12)


def test_a_cell_limits_its_clients_and_leaves_the_rest_to_others():
    # 20 B/s for the two in the cell, 80 for the third one on a server link of 100.
    times_s = run([1e3] * 3 + [], [1e9] * 3, 100, 400, 0, cell=[0, 0, 1], cell_Bps=[20, 1e9])
    assert times_s == pytest.approx([40, 40, 5], rel=1e-12)


@pytest.mark.parametrize(
    ("half", "server_Bps", "expected"),
    [
        # 20 B/s: both have 10 until 10 s. Then one uploads 100 B while the other downloads 300.
        ([0], 1e9, [15, 25]),
        ([1], 1e9, [20, 30]),
        # The server has 10 in each direction: 5 to each download, then 10 to each message.
        ([1], 10, [20 + 10, 50]),
    ],
)
def test_both_directions_share_the_medium_of_a_half_duplex_cell(half, server_Bps, expected):
    cells = {"cell": [0, 0], "cell_Bps": [20], "half": half}
    times_s = run([1e3] * 2, [1e3] * 2, server_Bps, [100, 400], [100, 0], **cells)
    assert times_s == pytest.approx(expected, rel=1e-12)


def test_the_levels_of_many_flows_follow_progressive_filling():
    rng = np.random.default_rng(0)
    rates = rng.lognormal(3, 1, 40)
    server = float(rates.sum() / 3)
    times_s = np.array(run(rates, [1e9] * 40, server, 1000, 0))
    left, now, expected = np.full(40, 1000.0), 0.0, np.zeros(40)
    while (left > 0).any():
        active, level = left > 0, 0.0
        slow = np.zeros(40, bool)
        while True:
            fast = active & ~slow
            level = (server - rates[slow].sum()) / max(1, fast.sum())
            more = fast & (rates <= level)
            if not more.any():
                break
            slow |= more
        speed = np.where(active, np.minimum(rates, level), 0)
        step = (left[active] / speed[active]).min()
        now += step
        left = np.where(active, left - speed * step, 0)
        ended = active & (left < 1e-9)
        expected[ended], left[ended] = now, 0
    assert times_s == pytest.approx(expected, rel=1e-9)


def test_code_that_laid_the_state_out_differently_refuses_it():
    world = layout.build(np.ones((2, 2)), np.zeros(1), np.full(1, -1), np.zeros(2), 1, 9)
    world.i[layout.SOURCE] += 1
    assert entry.advance(*world, math.inf, 1, False) == layout.NOTHING
