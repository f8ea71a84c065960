"""Trainings that share a base: the same bits as in a fresh process, whatever ran before."""

import dataclasses
import itertools
import pickle
import subprocess
import sys

import pytest
import torch

from flasc.tasks.settings import Split
from flasc.tasks.twenty_newsgroups import Newsgroups
from flasc.training.shared_models import KEPT, SharedModels, copied
from flasc.training.trainer import Trainer

METHODS = ["lora", "head", "full", {"kind": "flasc", "down": 0.25, "up": 0.25}]


def outcome(trainer):
    """Two rounds, bit by bit, and what they score."""
    for _ in range(2):
        uploads = trainer.train([trainer.download(client) for client in (0, 2, 4)])
        trainer.aggregate(uploads, [0.5, 0.25, 0.25])
    return trainer.params.numpy().tobytes(), trainer.evaluate("validation")


@pytest.fixture
def shared(make):
    """Trainers of one shared, from a method's settings."""
    shared = SharedModels()

    def build(method, **keys):
        fresh = make(method, **keys)
        return Trainer(fresh.settings, fresh.task, torch.device("cpu"), shared)

    return build


@pytest.mark.parametrize("order", [*itertools.permutations(range(4), 3)])
def test_whatever_trained_before_the_bits_are_those_of_a_fresh_trainer(order, make, shared):
    for number in order:
        assert outcome(shared(METHODS[number])) == outcome(make(METHODS[number]))


def test_two_trainings_at_once_do_not_meet(make, shared):
    one, other = shared("lora"), shared("full")
    found = outcome(other), outcome(one)
    assert found == (outcome(make("full")), outcome(make("lora")))


def test_another_rank_or_seed_shares_what_it_may(make, shared, task):
    loaded = []
    for keys in ({}, {"seed": 1}, {}):
        trainer = shared("lora", **keys)
        loaded.append(next(trainer.adapter.model.parameters()).data_ptr())
        assert outcome(trainer) == outcome(make("lora", **keys))
    assert loaded[0] == loaded[2] != loaded[1]


def test_a_copy_shares_memory_but_not_modules_or_flags(bert, task):
    shared = SharedModels()
    models = [shared.pretrained(bert, "text", 4, 0, None, frozen=True) for _ in range(2)]
    models.append(shared.pretrained(bert, "text", 4, 0, None, frozen=False))
    first, second, third = ([*model.parameters()] for model in models)
    first[0].requires_grad = False
    assert second[0].requires_grad
    assert third[0].requires_grad
    assert first[0].data_ptr() == second[0].data_ptr() != third[0].data_ptr()
    assert torch.equal(first[0], third[0])
    models[0].classifier = torch.nn.Identity()
    assert isinstance(models[1].classifier, torch.nn.Linear)


def test_tied_parameters_stay_tied():
    one = torch.nn.Linear(3, 3)
    both = torch.nn.Sequential(one, torch.nn.Linear(3, 3))
    both[1].weight = one.weight
    for share in (False, True):
        found = copied(both, share=share)
        assert found[0].weight is found[1].weight
        assert (found[0].weight.data_ptr() == one.weight.data_ptr()) == share


def test_a_task_is_loaded_once_for_its_settings_and_seed(monkeypatch, task):
    loads = []

    def load(settings, seed, cache, notify):
        loads.append((settings.split.alpha, seed))
        return dataclasses.replace(task)

    monkeypatch.setattr(Newsgroups, "load", load)
    shared = SharedModels()
    plain = Newsgroups(name="20newsgroups")
    other = plain.model_copy(update={"split": Split(alpha=0.5)})
    first = shared.task(plain, 0, None, print)
    assert shared.task(plain, 0, None, print) is first
    shared.task(other, 0, None, print)
    assert shared.task(plain, 0, None, print) is first
    shared.task(plain, 1, None, print)  # one too many: the longest unused is forgotten
    shared.task(other, 0, None, print)
    assert loads == [(0.1, 0), (0.5, 0), (0.1, 1), (0.5, 0)]
    assert KEPT == 2


def test_shared_models_load_no_torch():
    code = "import sys; from flasc.training.shared_models import SharedModels\n"
    code += "SharedModels(); sys.exit('torch' in sys.modules)"
    assert not subprocess.run([sys.executable, "-c", code], check=False).returncode


class Others:
    """Helpers with an equal trainer: every other piece, last first, through pickle."""

    def __init__(self, trainer):
        self.trainer = trainer
        self.lent = 0

    def carry_out(self, pieces, here):
        found = {}
        for index in reversed(range(len(pieces))):
            if index % 2:
                sent = pickle.loads(pickle.dumps(pieces[index]))
                found[index] = pickle.loads(pickle.dumps(self.trainer.work(sent)))
                self.lent += 1
            else:
                found[index] = here(pieces[index])
        return [found[index] for index in range(len(pieces))]


SPARSE = {"kind": "sparse_adapter", "density": 0.25}


@pytest.mark.parametrize("engine", ["cohort", "reference"])
@pytest.mark.parametrize("method", ["lora", "full", SPARSE, METHODS[-1]])
def test_pieces_done_elsewhere_give_the_same_bits(method, engine, make, monkeypatch):
    monkeypatch.setattr("flasc.training.cohort.engine.BATCH_TOKENS", {"cpu": 120})  # 6 parts
    monkeypatch.setattr("flasc.training.client.EVALUATION_BATCH", 10)
    helpers = Others(make(method, engine=engine))
    fresh = make(method, engine=engine)
    spread = Trainer(fresh.settings, fresh.task, torch.device("cpu"), SharedModels(helpers))
    assert outcome(spread) == outcome(fresh)
    assert helpers.lent == 2 * 1 + 3  # of three clients in two rounds, of six parts


def test_what_is_remembered_is_not_lent(make):
    helpers = Others(None)
    fresh = make("head")
    spread = Trainer(fresh.settings, fresh.task, torch.device("cpu"), SharedModels(helpers))
    assert outcome(spread) == outcome(make("head"))
    assert not helpers.lent
