"""Dropout by place: how often, how independent, and the same wherever it is asked for."""

import numpy as np
import pytest
import torch

from flasc.models.dropout import PlaceDropout, Rows, hashes, kept, masked, places

CPU = torch.device("cpu")
ROWS, TOKENS, FEATURES = 48, 40, 96
N = ROWS * TOKENS * FEATURES


def keys(rows=ROWS, seed=0):
    stream = np.random.default_rng(seed)
    return torch.from_numpy(stream.integers(-(2**31), 2**31, rows, dtype=np.int32))


def stays(site, p, rows=None):
    """bool [rows, tokens, features]."""
    rows = keys() if rows is None else rows
    found = kept(hashes(rows.view(-1, 1, 1), places(site, TOKENS, FEATURES, CPU)), site, p)
    assert set(found.unique().tolist()) <= {0, -1}
    return found.bool()


@pytest.mark.parametrize("site", [0, 1, 2, 3, 22, 47])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_as_many_are_dropped_as_asked_by_row_token_and_feature(site, p):
    dropped = (~stays(site, p)).double()
    for axes in [(0, 1, 2), (1, 2), (0, 2), (0, 1)]:
        mean = dropped.mean(axes)
        sd = (p * (1 - p) * mean.numel() / N) ** 0.5
        assert (mean - p).abs().max() < 5 * sd  # of at most 96 means
        if mean.numel() > 1:  # no more even than chance, and no less
            assert 0.7 < mean.std() / sd < 1.35


@pytest.mark.parametrize("p", [0.0, 1e-6])
def test_nothing_is_dropped_at_zero(p):
    assert stays(0, p).all()
    assert stays(1, p).all()


def test_layers_rows_and_neighbours_are_independent():
    masks = [stays(site, 0.5).double().flatten() for site in range(6)]
    masks += [stays(0, 0.5, keys(seed=1)).double().flatten()]
    masks += [masks[0].roll(shift) for shift in (1, FEATURES, TOKENS * FEATURES)]
    found = torch.corrcoef(torch.stack(masks)) - torch.eye(len(masks))
    assert found.abs().max() < 5 / N**0.5


def test_a_place_falls_or_stays_whatever_else_is_in_the_batch():
    whole = stays(3, 0.3)
    alone = stays(3, 0.3, keys()[7:9])
    assert torch.equal(whole[7:9], alone)
    shorter = kept(
        hashes(keys().view(-1, 1, 1), places(3, TOKENS // 2, FEATURES, CPU)), 3, 0.3
    ).bool()
    assert torch.equal(whole[:, : TOKENS // 2], shorter)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_masking_is_a_product_with_zero_and_one(dtype):
    x = torch.randn(ROWS, TOKENS, FEATURES).to(dtype)
    found = kept(hashes(keys().view(-1, 1, 1), places(0, TOKENS, FEATURES, CPU)), 0, 0.4)
    assert torch.equal(masked(x, found), torch.where(found.bool(), x, torch.zeros_like(x)))


def test_the_module_keeps_the_mean_and_rests_outside_training():
    rows = Rows()
    module = PlaceDropout(0.25, 0, rows)
    x = torch.ones(ROWS, TOKENS, FEATURES)
    assert module.eval()(x) is x
    rows.keys = keys()
    out = module.train()(x)
    assert out.unique().tolist() == [0, pytest.approx(4 / 3)]
    assert float(out.mean()) == pytest.approx(1, abs=5 * (1 / 3 / N) ** 0.5)


def dropout(site=0, rows=ROWS):
    layer = PlaceDropout(0.5, site, Rows())
    layer._rows.keys = keys(rows)
    return layer.train()


def test_rows_in_one_matrix_drop_as_apart():
    layer, x = dropout(), torch.ones(ROWS, TOKENS, FEATURES)
    assert torch.equal(layer(x.view(-1, FEATURES)), layer(x).view(-1, FEATURES))


def test_an_input_of_all_rows_keeps_its_shape():
    layer, x = dropout(), torch.ones(1, TOKENS, FEATURES)
    assert layer(x).shape == x.shape
    assert torch.equal(layer(x), layer(x.expand(ROWS, -1, -1))[:1])
