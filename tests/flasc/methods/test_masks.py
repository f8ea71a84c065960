"""Methods by mask: which entries go where, against plain numpy."""

import numpy as np
import pytest
import torch

from flasc import codec
from flasc.methods.base import VectorLayout
from flasc.methods.sparse_adapter import SparseAdapterMethod
from flasc.training import saliency


def top(values, k):
    """The mask of the k largest magnitudes, ties to the lowest index, in plain numpy."""
    order = np.lexsort((np.arange(len(values)), -np.abs(values)))
    mask = np.zeros(len(values), bool)
    mask[order[:k]] = True
    return mask


def sent(message, n, support=None):
    """(values [n], mask [n]) of a message."""
    decoded = codec.decode(message.content, n=n, support=support)
    mask = np.ones(n, bool)
    if decoded.indices is not None:
        mask = np.isin(np.arange(n), decoded.indices)
    return decoded.to_dense(), mask


def parts(adapter):
    """The part of each entry, as text [n]."""
    return np.concatenate([np.repeat(s.part, s.stop - s.start) for s in adapter.spans])


def test_flasc_follows_its_schedule(make, play):
    trainer = make({"kind": "flasc", "down": 0.5, "up": 0.25, "gamma": 0.5, "every": 2})
    n = trainer.adapter.n
    for t in range(6):
        params = trainer.params.numpy().copy()
        download, upload = play(trainer, [[1]])
        assert (sent(download, n)[1] == top(params, int(n * 0.5 * 0.5 ** (t // 2)))).all()
        assert sent(upload, n)[1].sum() == int(n * 0.25 * 0.5 ** (t // 2))


def test_federated_select_stays_inside_flascs_download(make, play):
    trainer = make({"kind": "federated_select", "density": 0.3, "gamma": 0.5, "every": 3})
    n = trainer.adapter.n
    drawn = np.random.default_rng(0).standard_normal(n, np.float32)
    trainer.restore(trainer.snapshot() | {"server.params": 0.05 * drawn})
    masks = []
    for t in range(5):
        params = trainer.params.numpy().copy()
        download, upload = play(trainer, [[4]])
        start, mask = sent(download, n)
        masks.append(mask)
        assert (mask == top(params, int(n * 0.3 * 0.5 ** (t // 3)))).all()
        assert (start == np.where(mask, params, np.float32(0))).all()
        assert upload.nbytes == 12 + 4 * mask.sum()  # values alone
        assert sent(upload, n, np.flatnonzero(mask))[0].any()
    assert (masks[0] != masks[2]).any()  # ranked anew


def test_federated_select_from_the_start_never_lets_b_grow(make, play):
    """B starts at zero, so it is in no mask, so it gets no update and stays there."""
    trainer = make({"kind": "federated_select", "density": 0.3})
    play(trainer)
    assert not trainer.params.numpy()[parts(trainer.adapter) == "lora_B"].any()


def test_a_client_trains_only_what_it_may(make):
    """Held against a client that trains everything: inside the mask, the first step is the same."""
    select = make({"kind": "federated_select", "density": 0.3})
    flasc = make({"kind": "flasc", "down": 0.3, "up": 1})
    n, client = select.adapter.n, 0  # five examples: one step
    mask = sent(select.download(client), n)[1]
    inside, _ = sent(*select.train([select.download(client)]), n, np.flatnonzero(mask))
    whole, _ = sent(*flasc.train([flasc.download(client)]), n)
    np.testing.assert_array_equal(inside, np.where(mask, whole, np.float32(0)))
    assert (whole[~mask] != 0).any()


def test_adapter_lth_prunes_for_good(make, play):
    trainer = make({"kind": "adapter_lth", "gamma": 0.8, "every": 2})
    n = trainer.adapter.n
    left = np.ones(n, bool)
    for t in range(7):
        if t and t % 2 == 0:  # the smallest of those that are left go
            params = np.where(left, np.abs(trainer.params.numpy()) + 1, 0)
            left = top(params, int(n * 0.8 ** (t // 2)))
        download, upload = play(trainer, [[1, 2]])[::2]
        assert (sent(download, n)[1] == left).all()
        assert upload.nbytes == 12 + 4 * left.sum()


def test_ffa_lora_is_lora_without_a(make, play):
    ffa, lora = make("ffa_lora"), make("lora")
    assert (parts(ffa.adapter) == parts(lora.adapter)[parts(lora.adapter) != "lora_A"]).all()
    state = ffa.adapter.model.state_dict()
    frozen = {name: state[name].clone() for name in state if ".lora_A." in name}
    assert frozen
    for span in lora.adapter.spans:  # both ends draw the same A from the seed
        if span.part == "lora_A":
            assert torch.equal(frozen[span.name].flatten(), lora.params[span.start : span.stop])
    play(ffa)
    after = ffa.adapter.model.state_dict()
    assert all(torch.equal(after[name], a) for name, a in frozen.items())
    b = parts(ffa.adapter) == "lora_B"
    assert ffa.params.numpy()[b].any()


# -- SparseAdapter's scores


def mask_of(trainer):
    return sent(trainer.download(1), trainer.adapter.n)[1]


def test_a_random_mask_is_the_seeds(make, play):
    settings = {"kind": "sparse_adapter", "density": 0.3, "score": "random", "dense_rounds": 0}
    first, again, other = make(settings), make(settings), make(settings, seed=1)
    mask = mask_of(first)
    assert mask.sum() == int(0.3 * len(mask))
    assert (mask == mask_of(again)).all()
    assert 0.3 < (mask != mask_of(other)).mean() < 0.55  # independent: 2 * 0.3 * 0.7
    play(first)
    assert (mask_of(first) == mask).all()


def test_magnitude_at_the_start_keeps_nothing_of_b(make):
    trainer = make({"kind": "sparse_adapter", "density": 0.3, "dense_rounds": 0})
    mask = mask_of(trainer)
    assert (mask == top(trainer.params.numpy(), mask.sum())).all()
    assert not (mask & (parts(trainer.adapter) == "lora_B")).any()


@pytest.mark.parametrize("score", ["snip", "grasp"])
def test_a_score_is_measured_by_a_round_that_trains_nothing(make, play, score):
    keys = {"kind": "sparse_adapter", "density": 0.3, "score": score, "examples": 8}
    trainer = make(keys)
    n = trainer.adapter.n
    play(trainer, [[1, 2]])
    params = trainer.params.clone()
    messages = play(trainer, [[1, 4]])
    up_1, up_2 = messages[2:]
    assert torch.equal(trainer.params, params)
    assert trainer.version == 2
    assert {m.nbytes for m in messages} == {12 + 4 * n}  # dense both ways, and charged
    assert [m.examples for m in (up_1, up_2)] == [8 * (3 if score == "grasp" else 1)] * 2
    mean = (sent(up_1, n)[0] + sent(up_2, n)[0]) / 2
    scores = params.numpy() * mean
    order = np.lexsort((np.arange(n), -(np.abs(scores) if score == "snip" else scores)))
    expected = np.isin(np.arange(n), order[: int(0.3 * n)])
    assert (mask_of(trainer) == expected).all()
    _, upload = play(trainer, [[1]])
    assert upload.asks == "update"
    assert upload.nbytes == 12 + 4 * int(0.3 * n)
    assert (trainer.params.numpy() != params.numpy()).any()
    # A score that comes late changes nothing, and is no update.
    held = trainer.params.clone()
    trainer.aggregate([up_1], [1.0])
    assert torch.equal(trainer.params, held)
    assert (mask_of(trainer) == expected).all()


def test_at_the_start_snip_says_nothing_about_lora(make, play):
    """B is zero: so is its product with any gradient, and so is the gradient of A."""
    keys = {"kind": "sparse_adapter", "density": 0.3, "score": "snip", "dense_rounds": 0}
    trainer = make(keys)
    params = trainer.params.numpy()
    *_, upload = play(trainer, [[1]])
    scores = np.abs(sent(upload, trainer.adapter.n)[0] * params)
    lora = parts(trainer.adapter) != "head"
    assert not scores[lora].any()
    assert scores[~lora].any()
    lowest = np.flatnonzero(lora)[: int(0.3 * len(lora)) - (scores > 0).sum()]
    assert mask_of(trainer)[lowest].all()  # ties, to the lowest index


def test_ties_go_to_the_lowest_index():
    class Settings:
        density, examples = 0.5, 1

    method = SparseAdapterMethod(Settings, VectorLayout([], 1, 0, 1))
    method._fix(torch.tensor([-1.0, 0.0, 2.0, -0.0, 0.0, -3.0]))
    assert method.download_mask(torch.zeros(6), 1, 0).tolist() == [
        False,
        True,
        True,
        True,
        False,
        False,
    ]


def test_gradients_and_curvature_are_those_of_the_loss(make, play):
    """By central differences along random directions and along g."""
    trainer = make("lora")
    play(trainer)
    adapter, data = trainer.adapter, trainer.task.train
    chosen = np.arange(130)  # more than a batch
    adapter.model.double()

    def measure(vector, what):
        return saliency.measure(adapter, vector, data, chosen, what)

    def loss(vector):
        adapter.write(vector)
        with torch.no_grad():
            return float(adapter.model(**data.batch(chosen, torch.device("cpu"))).loss)

    start, eps = trainer.params.double(), 1e-5
    g = measure(start, "gradient")
    for seed in range(3):
        way = torch.from_numpy(np.random.default_rng(seed).standard_normal(adapter.n))
        slope = (loss(start + eps * way) - loss(start - eps * way)) / (2 * eps)
        assert float(g @ way) == pytest.approx(slope, rel=1e-5)
    step = 1e-4 / g.norm()
    ahead, behind = (measure(start + sign * step * g, "gradient") for sign in (1, -1))
    torch.testing.assert_close(
        measure(start, "curvature"), (ahead - behind) / (2 * step), rtol=1e-4, atol=1e-7
    )
    assert not saliency.measure(adapter, start, data, chosen[:0], "curvature").any()
