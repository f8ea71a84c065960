"""What is said of a training, against arithmetic."""

import numpy as np
import pytest

from flasc.models.settings import Lora

# The small BERT of conftest: 2 layers, 32 wide, 48 in between, 12 tokens, 4 classes.
LAYERS, WIDTH, WIDE, TOKENS, CLASSES = 2, 32, 48, 12, 4


@pytest.mark.parametrize("rank", [2, 8])
def test_operations_are_those_of_the_shapes(make, rank):
    trainer = make("lora", lora=Lora(rank=rank))
    about = trainer.metadata()
    linear = 4 * WIDTH * WIDTH + 2 * WIDTH * WIDE
    attention = 2 * TOKENS * WIDTH
    forward = LAYERS * TOKENS * (linear + attention) + WIDTH * WIDTH + WIDTH * CLASSES
    lora = LAYERS * TOKENS * 2 * (2 * WIDTH * rank)
    # Frozen weights need no gradient of their own: backward is one to two times forward.
    assert 2 * 2 * (forward + lora) * 0.8 < about.flop_per_example < 3 * 2 * (forward + lora)
    more = make("lora", lora=Lora(rank=2 * rank)).metadata().flop_per_example
    # Three products for each of LoRA's two: forward, and the gradients of input and weight.
    assert more - about.flop_per_example == pytest.approx(3 * 2 * lora, rel=0.2)


def test_it_says_who_holds_how_much_and_leaves_no_trace(make, task):
    trainer = make("lora")
    before = trainer.download(1).content
    about = trainer.metadata()
    assert about.examples == tuple(map(len, task.clients)) == tuple(map(sum, about.labels))
    for labels, held in zip(about.labels, task.clients, strict=True):
        assert labels == tuple(np.bincount(task.train.labels[held], minlength=CLASSES))
    assert all(parameter.grad is None for parameter in trainer.adapter.parameters)
    assert trainer.download(1).content == before
    upload = trainer.train([trainer.download(1)])[0].content
    assert make("lora").train([make("lora").download(1)])[0].content == upload


def test_a_score_by_label_adds_up_to_the_accuracy(make, task):
    score = make("lora").evaluate("validation")
    right, of = np.transpose(score.by_label)
    assert tuple(of) == tuple(np.bincount(task.validation.labels, minlength=CLASSES))
    assert right.sum() / of.sum() == score.accuracy
