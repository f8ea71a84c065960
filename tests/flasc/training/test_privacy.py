"""The Gaussian mechanism: what one client can move, and noise where it belongs."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from flasc import codec
from flasc.common import rng
from flasc.common.settings import Wire
from flasc.training import settings as config
from flasc.training.privacy import clipped, noisy_mean

finite = st.floats(-1e6, 1e6, width=32)
vectors = arrays.arrays(np.float32, 20, elements=finite)
bounds = st.floats(1e-3, 1e3)
METHODS = [
    {"kind": "lora"},
    {"kind": "flasc", "down": 0.25, "up": 0.1},
    {"kind": "flasc", "down": 0.25, "up": 0.1, "error_feedback": True, "wire": {"values": "int8"}},
    {"kind": "sparse_adapter", "density": 0.3},
]


def settings(**keys):
    return config.Privacy.model_validate({"clip": 0.5, "noise": 1.0, "cohort": 4, **keys})


class Silence:
    """A stream with nothing random about it: every normal is `value`."""

    def __init__(self, value=0.0):
        self.value = value

    def standard_normal(self, n, dtype):
        return np.full(n, self.value, dtype)


def norm(vector):
    return float(np.linalg.norm(vector.numpy().astype(float)))


@given(vectors, bounds)
def test_clipping_bounds_the_joint_norm_and_keeps_the_direction(values, bound):
    delta = torch.from_numpy(values)
    short = clipped(delta, bound)
    assert norm(short) <= bound * (1 + 1e-6)
    if norm(delta) <= bound:
        assert short is delta
    else:
        longer = short.numpy() * norm(delta) / bound
        np.testing.assert_allclose(longer, values, rtol=1e-5, atol=1e-3)


@given(st.lists(vectors, max_size=4), vectors, vectors, bounds)
def test_one_client_moves_the_sum_by_at_most_one_bound(others, one, another, bound):
    """Added or removed: 1 unit of the noise before dividing by the cohort; replaced: 2."""
    private = settings(clip=bound, cohort=1)

    def total(*more):
        deltas = [torch.from_numpy(values) for values in [*others, *more]]
        return noisy_mean(deltas, private, Silence(), torch.zeros(20)).double()

    slack = 1e-5 * (1 + len(others))
    assert norm(total(one) - total()) <= 1 + slack
    assert norm(total(one) - total(another)) <= 2 + slack


def test_the_order_is_that_of_the_reference_code():
    """Clip, sum, divide by the bound, add noise to every coordinate, divide by the cohort."""
    deltas = [torch.tensor([3.0, 4.0, 0.0]), torch.tensor([0.0, 0.3, 0.0])]
    got = noisy_mean(deltas, settings(noise=2.0), Silence(1.0), torch.zeros(3))
    clips = np.array([[0.3, 0.4, 0], [0, 0.3, 0]])
    wanted = (clips.sum(0) / 0.5 + 2.0) / 4
    np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-6)
    own = noisy_mean(deltas, settings(noise=2.0, scaling="mean"), Silence(1.0), torch.zeros(3))
    np.testing.assert_allclose(own.numpy(), 0.5 * wanted, rtol=1e-6)


def test_noise_is_gaussian_on_every_coordinate_also_of_nobody():
    n, z, cohort = 100_000, 1.5, 4
    got = noisy_mean(
        [], settings(noise=z, cohort=cohort), rng.stream(0, "privacy", 0), torch.zeros(n)
    ).numpy()
    assert got.std() == pytest.approx(z / cohort, rel=5 / np.sqrt(2 * n))
    assert abs(got.mean()) < 5 * z / cohort / np.sqrt(n)
    assert (got != 0).all()
    # Within 1, 2 and 3 standard deviations, as a normal law has it.
    shares = [(np.abs(got) < k * z / cohort).mean() for k in (1, 2, 3)]
    assert shares == pytest.approx([0.6827, 0.9545, 0.9973], abs=0.008)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m["kind"] + str(len(m)))
def test_the_server_steps_by_the_private_mean_of_what_it_decodes(make, method):
    wire = Wire.model_validate(method.get("wire", {}))
    method = {key: value for key, value in method.items() if key != "wire"}
    dp = settings(clip=1e-4, cohort=2, scaling="mean")
    trainer = make(method, dp=dp, wire=wire, server=config.FedAvg(kind="fedavg"))
    n, longest = trainer.adapter.n, 0.0
    for version in range(2):
        before = trainer.params.clone()
        downloads = [trainer.download(c) for c in (1, 4)]
        uploads = trainer.train(downloads)
        support = codec.decode(downloads[0].content, n=n).indices
        sent = [codec.decode(u.content, n=n, support=support).to_dense() for u in uploads]
        trainer.aggregate(uploads, [0.5, 0.5])
        draws = rng.stream(0, "privacy", version)
        mean = noisy_mean([torch.from_numpy(s) for s in sent], dp, draws, before)
        assert torch.equal(trainer.params, before - mean)
        longest = max(longest, *(norm(torch.from_numpy(s)) for s in sent))
    assert longest > 100 * dp.clip  # so that clipping shows


def test_a_round_of_nobody_is_noise_alone_and_can_be_restored(make):
    dp = settings(clip=0.01, cohort=2)
    trainer, restored = make("lora", dp=dp), make("lora", dp=dp)
    before = trainer.params.clone()
    trainer.aggregate([], [])
    assert not torch.equal(trainer.params, before)
    assert trainer.version == 1
    restored.restore(trainer.snapshot())
    for each in (trainer, restored):
        each.aggregate(each.train([each.download(2)]), [0.5])
    assert torch.equal(trainer.params, restored.params)


def test_another_weight_than_the_accountants_is_our_own_fault(make):
    trainer = make("lora", dp=settings(cohort=2))
    uploads = trainer.train([trainer.download(1)])
    with pytest.raises(AssertionError, match="accountant"):
        trainer.aggregate(uploads, [1.0])
