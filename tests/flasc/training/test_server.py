import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from flasc.training.server import Optimiser, weighted_sum
from flasc.training.settings import AdamW, FedAdam, FedAvg

GRADIENTS = [torch.randn(50, generator=torch.Generator().manual_seed(i)) for i in range(6)]


@pytest.mark.parametrize("decay", [0.0, 0.01, 0.3])
def test_adamw_is_torchs(decay):
    start = torch.linspace(-1, 1, 50)
    ours = Optimiser(start, AdamW(lr=0.02, weight_decay=decay))
    theirs = start.clone().requires_grad_()
    oracle = torch.optim.AdamW([theirs], lr=0.02, weight_decay=decay)
    for gradient in GRADIENTS:
        ours.step(gradient)
        theirs.grad = gradient.clone()
        oracle.step()
    torch.testing.assert_close(ours.params, theirs.detach(), rtol=1e-6, atol=1e-7)


def test_entries_with_no_gradient_still_move_by_momentum_and_decay():
    server = Optimiser(torch.ones(2), AdamW(lr=0.1))
    server.step(torch.tensor([1.0, 0.0]))
    after_one = server.params.clone()
    server.step(torch.zeros(2))
    assert (server.params < after_one).all()
    assert after_one[1] == pytest.approx(1 - 0.1 * 0.01)


def test_fedadam_is_algorithm_2_of_reddi():
    settings = FedAdam(kind="fedadam", lr=0.1, beta1=0.9, beta2=0.99, tau=1e-3)
    start = np.linspace(-1, 1, 50)
    ours = Optimiser(torch.from_numpy(start.astype(np.float32)), settings)
    x, m, v = start, np.zeros(50), np.zeros(50)
    for gradient in GRADIENTS:
        ours.step(gradient)
        delta = -gradient.numpy().astype(float)
        m = 0.9 * m + 0.1 * delta
        v = 0.99 * v + 0.01 * delta**2
        x = x + 0.1 * m / (np.sqrt(v) + 1e-3)
    np.testing.assert_allclose(ours.params.numpy(), x, rtol=1e-5, atol=1e-6)


def test_fedavg_takes_the_mean_of_what_clients_have():
    start = torch.arange(3.0)
    clients = [torch.tensor([1.0, 2, 3]), torch.tensor([3.0, 0, 1])]
    server = Optimiser(start, FedAvg(kind="fedavg"))
    server.step(weighted_sum([start - c for c in clients], [0.5, 0.5]))
    torch.testing.assert_close(server.params, torch.tensor([2.0, 1, 2]))


@pytest.mark.parametrize("settings", [AdamW(), FedAdam(kind="fedadam"), FedAvg(kind="fedavg")])
def test_a_restored_server_goes_on_to_the_bit(settings):
    server, restored = Optimiser(torch.ones(50), settings), Optimiser(torch.zeros(50), settings)
    for gradient in GRADIENTS[:3]:
        server.step(gradient)
    restored.restore(server.state())
    for gradient in GRADIENTS[3:]:
        server.step(gradient)
        restored.step(gradient)
    assert torch.equal(server.params, restored.params)


@given(st.lists(st.floats(0, 2), min_size=1, max_size=5))
def test_weighted_sum_is_linear_and_counts_zeros(weights):
    deltas = [torch.full((4,), float(i)) for i in range(len(weights))]
    expected = sum(w * i for i, w in enumerate(weights))
    got = weighted_sum(deltas, weights)
    torch.testing.assert_close(got, torch.full((4,), expected), rtol=1e-5, atol=1e-6)
