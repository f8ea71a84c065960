import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from flasc.common.schedules import Constant, Cosine, Inverse
from flasc.training.aggregation import weighted_sum
from flasc.training.server import Optimiser
from flasc.training.settings import AdamW, FedAdam, FedAvg

GRADIENTS = [torch.randn(50, generator=torch.Generator().manual_seed(i)) for i in range(6)]
SCHEDULES = [
    Constant(),
    Constant(warmup=4),
    Inverse(kind="inverse", decay=0.5),
    Cosine(kind="cosine", rounds=5, final=0.1, warmup=2),
]


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


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_adamw_with_a_schedule_is_torchs_with_that_rate(schedule):
    start = torch.linspace(-1, 1, 50)
    ours = Optimiser(start, AdamW(lr=0.02, schedule=schedule))
    theirs = start.clone().requires_grad_()
    oracle = torch.optim.AdamW([theirs], lr=0.02)
    rates = torch.optim.lr_scheduler.LambdaLR(oracle, schedule.factor)
    for gradient in GRADIENTS:
        ours.step(gradient)
        theirs.grad = gradient.clone()
        oracle.step()
        rates.step()
    torch.testing.assert_close(ours.params, theirs.detach(), rtol=1e-6, atol=1e-7)
    constant = Optimiser(start, AdamW(lr=0.02))
    for gradient in GRADIENTS:
        constant.step(gradient)
    assert torch.equal(ours.params, constant.params) == (schedule == Constant())


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("settings", [FedAdam(kind="fedadam"), FedAvg(kind="fedavg")])
def test_each_step_has_the_rate_of_its_number(settings, schedule):
    """A step at the scheduled rate is a step at that rate, from the same state."""
    scheduled = Optimiser(torch.ones(50), settings.model_copy(update={"schedule": schedule}))
    for t, gradient in enumerate(GRADIENTS):
        lr = settings.lr * schedule.factor(t)
        by_hand = Optimiser(torch.ones(50), settings.model_copy(update={"lr": lr}))
        by_hand.restore(scheduled.state())
        by_hand.step(gradient)
        scheduled.step(gradient)
        assert torch.equal(scheduled.params, by_hand.params)


@given(st.floats(1e-6, 10), st.integers(1, 6))
def test_a_constant_schedule_changes_no_bit(lr, steps):
    """The step without a schedule, as it was before schedules were added."""
    params, first, second = torch.ones(50), torch.zeros(50), torch.zeros(50)
    server = Optimiser(torch.ones(50), AdamW(lr=lr))
    averaged, mean = Optimiser(torch.ones(50), FedAvg(kind="fedavg", lr=lr)), torch.ones(50)
    for t, gradient in enumerate(GRADIENTS[:steps], 1):
        params *= 1 - lr * 0.01
        first.lerp_(gradient, 1 - 0.9)
        second.mul_(0.999).addcmul_(gradient, gradient, value=1 - 0.999)
        root = second.sqrt() / (1 - 0.999**t) ** 0.5
        params.addcdiv_(first, root + 1e-8, value=-(lr / (1 - 0.9**t)))
        mean -= lr * gradient
        server.step(gradient)
        averaged.step(gradient)
    assert torch.equal(server.params, params)
    assert torch.equal(averaged.params, mean)


@pytest.mark.parametrize(
    "settings",
    [
        AdamW(),
        FedAdam(kind="fedadam"),
        FedAvg(kind="fedavg"),
        *(AdamW(schedule=s) for s in SCHEDULES),
    ],
)
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
