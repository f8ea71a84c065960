"""Client optimisers are torch's, to the bit, for each client of a group."""

import pytest
import torch
from pydantic import ValidationError

from flasc.training.client_optimiser import ClientOptimiser, clip
from flasc.training.settings import Client

SHAPES = [(7, 5), (11,), (3, 4)]
CASES = [
    {},
    {"momentum": 0.0},
    {"warmup": 4},
    {"clip_norm": 0.7},
    {"clip_norm": 50.0},
    {"optimizer": "adamw"},
    {"optimizer": "adamw", "weight_decay": 0.1, "lr": 0.01},
    {"optimizer": "adamw", "weight_decay": 0.1, "lr": 0.01, "warmup": 3, "clip_norm": 0.7},
]


def drawn(seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in SHAPES]


def stacked(clients):
    return [torch.stack(tensors) for tensors in zip(*clients, strict=True)]


def torchs(settings, start, gradients):
    """The parameters after each step of torch's own optimiser, schedule and clipping."""
    parameters = [tensor.clone().requires_grad_() for tensor in start]
    if settings.optimizer == "sgd":
        oracle = torch.optim.SGD(parameters, lr=settings.lr, momentum=settings.momentum)
    else:
        oracle = torch.optim.AdamW(
            parameters, lr=settings.lr, weight_decay=settings.weight_decay, foreach=False
        )
    for step, each in enumerate(gradients):
        for group in oracle.param_groups:
            group["lr"] = settings.lr * min(1, (step + 1) / (settings.warmup or 1))
        for parameter, gradient in zip(parameters, each, strict=True):
            parameter.grad = gradient.clone()
        if settings.clip_norm:
            torch.nn.utils.clip_grad_norm_(parameters, settings.clip_norm, foreach=False)
        oracle.step()
        yield [parameter.detach() for parameter in parameters]


@pytest.mark.parametrize("keys", CASES)
def test_one_client_has_torchs_bits(keys):
    settings, gradients = Client(**keys), [drawn(10 + step) for step in range(6)]
    found = stacked([drawn(1)])
    ours = ClientOptimiser(settings, found)
    for step, wanted in enumerate(torchs(settings, drawn(1), gradients)):
        ours.step(found, stacked([gradients[step]]))
        for one, other in zip(found, wanted, strict=True):
            assert torch.equal(one[0], other)


@pytest.mark.parametrize("keys", CASES)
def test_clients_of_a_group_are_as_alone(keys):
    """Three clients, of which the last two stop early."""
    settings = Client(**keys)
    starts = [drawn(client) for client in range(3)]
    found = stacked(starts)
    ours = ClientOptimiser(settings, found)
    for step in range(5):
        active = 3 if step < 3 else 1
        gradients = stacked([drawn(100 * client + step) for client in range(active)])
        ours.step([each[:active] for each in found], gradients)
    for client, steps in enumerate([5, 3, 3]):
        gradients = [drawn(100 * client + step) for step in range(steps)]
        *_, wanted = torchs(settings, starts[client], gradients)
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one[client], other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("keys", CASES)
def test_entries_outside_the_mask_keep_their_bits(keys):
    start = stacked([drawn(1), drawn(2)])
    masks = [torch.rand(each.shape) < 0.5 for each in start]
    found = [each.clone() for each in start]
    ours = ClientOptimiser(Client(**keys), found)
    for step in range(4):
        gradients = stacked([drawn(30 + step), drawn(40 + step)])
        ours.step(found, [g * m for g, m in zip(gradients, masks, strict=True)], masks)
    for before, after, mask in zip(start, found, masks, strict=True):
        assert torch.equal((before != after), mask)


def test_a_parameter_without_a_gradient_stays():
    found = stacked([drawn(1)])
    settings = Client(optimizer="adamw", weight_decay=0.1, clip_norm=1.0)
    ClientOptimiser(settings, found).step(found, [None, *stacked([drawn(2)])[1:]])
    assert torch.equal(found[0][0], drawn(1)[0])
    assert not torch.equal(found[1][0], drawn(1)[1])


def test_each_client_is_clipped_by_its_own_norm():
    gradients = [torch.tensor([[3.0, 0.0], [0.3, 0.0]]), torch.tensor([[4.0], [0.4]])]
    clip(gradients, 1.0)
    assert gradients[0].tolist() == [pytest.approx([0.6, 0]), pytest.approx([0.3, 0])]
    assert gradients[1].tolist() == [pytest.approx([0.8]), pytest.approx([0.4])]


def test_sgd_has_no_weight_decay():
    with pytest.raises(ValidationError, match=r"found weight_decay 0\.1 with sgd; allowed: with"):
        Client(weight_decay=0.1)


def test_defaults_have_the_digest_they_had():
    plain = {"lr": 0.1, "momentum": 0.9, "batch": 16, "epochs": 1, "base_dropout": False}
    assert Client().model_dump(mode="json") == plain
    assert Client(optimizer="sgd", warmup=0, clip_norm=None).model_dump(mode="json") == plain
    changed = Client(optimizer="adamw", warmup=3, clip_norm=1.0, weight_decay=0.1)
    assert changed.model_dump(mode="json") == plain | {
        "optimizer": "adamw", "warmup": 3, "clip_norm": 1.0, "weight_decay": 0.1,
    }  # fmt: skip
