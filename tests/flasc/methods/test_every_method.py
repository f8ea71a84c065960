"""What every method must keep, whatever it sends."""

import copy
import math
import struct

import numpy as np
import pytest
import torch

from flasc import codec
from flasc.common import rng
from flasc.methods import METHODS
from flasc.training import settings

RANKS = [{"share": 1, "rank": 1}, {"share": 2, "rank": 4}]
DENSITIES = [{"share": "1/3", "down": 1, "up": 1}, {"share": "2/3", "down": "1/4", "up": "1/16"}]
MEMBERS = [
    {"kind": "full"},
    {"kind": "head"},
    {"kind": "lora"},
    {"kind": "ffa_lora"},
    {"kind": "flasc", "down": 0.25, "up": 0.0625},
    {"kind": "flasc", "down": 1.0, "up": 0.1},
    {"kind": "flasc", "down": 0.5, "up": 0.5, "gamma": 0.5, "every": 2},
    {"kind": "flasc_tiers", "tiers": DENSITIES},
    {"kind": "flasc_tiers", "tiers": DENSITIES, "rank_head": True},
    {"kind": "federated_select", "density": 0.3, "gamma": 0.8},
    {"kind": "sparse_adapter", "density": 0.3},
    {"kind": "sparse_adapter", "density": 0.3, "score": "random", "dense_rounds": 0},
    {"kind": "sparse_adapter", "density": 0.3, "score": "snip"},
    {"kind": "sparse_adapter", "density": 0.3, "score": "grasp", "dense_rounds": 0, "examples": 7},
    {"kind": "adapter_lth", "gamma": 0.5, "every": 1},
    {"kind": "rank_tiers", "tiers": RANKS},
    {"kind": "rank_tiers", "tiers": RANKS, "by": "norm"},
    {"kind": "het_lora", "tiers": RANKS, "prune": 0.5, "penalty": 0.01},
]
DENSE = [
    {"kind": "flasc", "down": 1, "up": 1},
    {"kind": "flasc_tiers", "tiers": [{"share": 1, "down": 1, "up": 1}]},
    {"kind": "federated_select", "density": 1},
    {"kind": "sparse_adapter", "density": 1},
    {"kind": "sparse_adapter", "density": 1, "score": "random", "dense_rounds": 0},
    {"kind": "adapter_lth", "gamma": 1, "every": 1},
    {"kind": "rank_tiers", "tiers": [{"share": 1, "rank": 4}]},
    {"kind": "rank_tiers", "tiers": [{"share": 1, "rank": 4}], "by": "norm"},
    {"kind": "het_lora", "tiers": [{"share": 1, "rank": 4}], "weighting": "uniform"},
]


def name(keys):
    return " ".join(str(v) for v in keys.values() if not isinstance(v, list))


every_method = pytest.mark.parametrize("method", MEMBERS, ids=name)


def test_no_method_is_left_out():
    kinds = {keys["kind"] for keys in MEMBERS}
    assert kinds == {s.model_fields["kind"].annotation.__args__[0] for s in METHODS}


@pytest.mark.parametrize("method", DENSE, ids=name)
def test_density_one_is_dense_lora_to_the_bit(make, play, method):
    dense, sparse = make("lora"), make(method)
    ours, theirs = play(sparse), play(dense)
    assert [m.content for m in ours] == [m.content for m in theirs]
    assert torch.equal(sparse.params, dense.params)
    assert sparse.evaluate("test") == dense.evaluate("test")


def randomly(trainer):
    """Has each client send a quarter of the entries, drawn by its number and version."""
    method = trainer._method

    def upload_mask(delta, received):
        draw = rng.stream(method.layout.seed, "sent", received.version, received.client)
        return torch.from_numpy(draw.random(len(delta)) < 0.25)

    method.upload_mask = upload_mask
    return trainer


def test_a_random_mask_of_a_client_is_the_same_again(make, play):
    first = play(randomly(make("lora")))
    again = [m.content for m in play(randomly(make("lora")))]
    assert [m.content for m in first] == again
    one = randomly(make("lora"))  # a client alone, as another process trains it
    sent = [m for m in first if m.answers and m.version == 0]
    assert [one.train([one.download(m.client)])[0].content for m in sent] == again[2:4]
    n = one.adapter.n
    supports = [codec.decode(m.content, n=n).indices for m in first if m.answers]
    assert len({support.tobytes() for support in supports}) == len(supports)


@every_method
class TestEveryMethod:
    def test_bytes_are_the_encoded_length(self, make, play, method):
        trainer = make(method)
        for round_ in range(3):
            downloads = [trainer.download(c) for c in range(7)]
            for message in [*downloads, *trainer.train(downloads)]:
                assert message.nbytes == len(message.content)
                _, n, k = struct.unpack_from("<4sII", message.content)
                assert n == trainer.adapter.n
                assert message.value_bytes == 4 * k
                # What is known at both ends is what the client got.
                support = torch.arange(n)
                if (mask := trainer._received(message.answers or message).down) is not None:
                    support = support[mask]
                decoded = codec.decode(message.content, n=n, support=support.numpy())
                assert len(decoded.values) == k
                assert np.isfinite(decoded.values).all()
            play(trainer, [[round_, 4, 1]])

    def test_all_of_a_tier_get_the_same_bytes(self, make, play, method):
        trainer = make(method)
        play(trainer)
        contents = {}
        for download in map(trainer.download, range(7)):
            assert contents.setdefault(download.tier, download.content) == download.content
        assert (len(contents) > 1) == ("tiers" in method)

    def test_clients_count_examples_and_steps(self, make, method):
        trainer = make(method, client=settings.Client(epochs=2, batch=16))
        uploads = trainer.train([trainer.download(c) for c in range(7)])
        sizes = [len(c) for c in trainer.task.clients]
        if uploads[0].asks == "curvature":  # one pass for g, two for H g
            assert [u.examples for u in uploads] == [3 * min(7, n) for n in sizes]
            assert not any(u.steps for u in uploads)
        else:
            assert [u.examples for u in uploads] == [2 * n for n in sizes]
            assert [u.steps for u in uploads] == [2 * math.ceil(n / 16) for n in sizes]

    def test_grouping_clients_changes_nothing(self, make, method):
        one, all_at_once = make(method), make(method)
        downloads = [one.download(c) for c in (4, 1, 2)]
        alone = [one.train([d])[0] for d in downloads[::-1]][::-1]
        together = all_at_once.train([all_at_once.download(c) for c in (4, 1, 2)])
        assert [u.content for u in alone] == [u.content for u in together]

    def test_a_method_is_told_whose_model_it_is(self, make, play, method, monkeypatch):
        trainer, told = make(method), []
        for hook in ("trainable_mask", "penalty"):
            real = getattr(trainer._method, hook)
            monkeypatch.setattr(
                trainer._method, hook, lambda got, real=real: told.append(got.client) or real(got)
            )
        downloads = [trainer.download(c) for c in (4, 1, 2)]
        uploads = trainer.train(downloads)
        assert told == [4, 4, 1, 1, 2, 2]
        assert [trainer._received(u.answers).client for u in uploads] == [4, 1, 2]

    def test_what_is_frozen_stays_frozen(self, make, play, method):
        trainer = make(method)
        trained = {span.name for span in trainer.adapter.spans}
        before = {k: v.clone() for k, v in trainer.adapter.model.state_dict().items()}
        play(trainer)
        trainer.evaluate("validation")
        after = trainer.adapter.model.state_dict()
        assert {k for k in before if not torch.equal(before[k], after[k])} <= trained
        assert not torch.equal(trainer.params, make(method).params)

    def test_a_snapshot_is_the_whole_state(self, make, play, method):
        """Also in a trainer that has trained something else since."""
        rounds = [[1, 2], [4, 0, 1], [2, 3], [1, 4]]
        trainer, restored = make(method), make(method)
        kept, sent = [], []
        for cohort in rounds:
            # A snapshot is written before the training goes on: it may share memory with it.
            kept.append((copy.deepcopy(trainer.snapshot()), trainer.evaluate("validation")))
            sent.append([m.content for m in play(trainer, [cohort])])
        score = trainer.evaluate("test")
        for cut, (snapshot, validation) in enumerate(kept):
            restored.restore(snapshot)
            assert restored.evaluate("validation") == validation
            assert [[m.content for m in play(restored, [c])] for c in rounds[cut:]] == sent[cut:]
            assert torch.equal(restored.params, trainer.params)
            assert restored.evaluate("test") == score

    @pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # PEFT 0.21 reads it
    def test_an_exported_model_has_the_accuracy_that_was_scored(self, make, play, method, tmp_path):
        from transformers import AutoModelForSequenceClassification

        trainer = make(method, server=settings.FedAvg(kind="fedavg"))
        play(trainer)
        trainer.export(tmp_path / "model")
        if method["kind"] == "full":
            model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
        else:
            from peft import PeftModel

            base = AutoModelForSequenceClassification.from_pretrained(
                trainer.task.model, num_labels=4
            )
            model = PeftModel.from_pretrained(base, tmp_path / "model")
        model.eval()
        batch = trainer.task.test.batch(np.arange(40), torch.device("cpu"))
        with torch.inference_mode():
            found = model(**batch)
        score = trainer.evaluate("test")
        assert float((found.logits.argmax(-1) == batch["labels"]).float().mean()) == pytest.approx(
            score.accuracy
        )
        assert float(found.loss) == pytest.approx(score.loss, rel=1e-5)
