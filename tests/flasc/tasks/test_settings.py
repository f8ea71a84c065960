"""Settings of tasks: what old recordings were named after, and what is refused."""

import pytest
from pydantic import TypeAdapter, ValidationError

from flasc.data import fashion_mnist, newsgroups
from flasc.tasks.fashion_mnist import FashionMnist
from flasc.tasks.friends import Friends
from flasc.tasks.twenty_newsgroups import Newsgroups
from flasc.training import settings

TASK = TypeAdapter(settings.Task)


def test_the_first_tasks_digest_stays():
    """A key that came later is left out while it has its default: recordings keep their name."""
    assert Newsgroups(name="20newsgroups").model_dump(mode="json") == {
        "name": "20newsgroups",
        "model": "minilm",
        "clients": 350,
        "tokens": 128,
        "split": {"kind": "dirichlet", "alpha": 0.1},
    }
    raw = {"name": "20newsgroups", "edition": "raw", "data": "./news"}
    dumped = TASK.validate_python(raw).model_dump(mode="json")
    assert (dumped["edition"], dumped["data"]) == ("raw", "./news")


def test_a_name_chooses_the_settings():
    assert isinstance(TASK.validate_python({"name": "fashion_mnist"}), FashionMnist)
    friends = TASK.validate_python({"name": "friends", "split": {"pooled": "1/2"}})
    assert isinstance(friends, Friends)
    assert friends.split.pooled == 0.5


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"name": "cifar"}, "'cifar10'"),
        ({"name": "fashion_mnist", "tokens": 8}, "tokens"),
        ({"name": "fashion_mnist", "split": {"kind": "natural"}}, "'dirichlet'"),
        ({"name": "friends", "split": {"kind": "dirichlet"}}, "'natural'"),
        ({"name": "friends", "split": {"pooled": 1.5}}, "a share from 0 to 1"),
        ({"name": "flair"}, "data"),
        ({"name": "20newsgroups", "data": "./x"}, "allowed: data with edition raw"),
        ({"name": "cifar10", "model": "gpt2"}, "allowed: minilm, fashion-vit"),
    ],
)
def test_what_is_refused(keys, said):
    with pytest.raises(ValidationError, match=said):
        TASK.validate_python(keys)


def test_the_most_clients_are_those_of_the_pinned_data():
    kept, _ = newsgroups.split_validation(newsgroups.DOCUMENTS["train"])
    assert TASK.validate_python({"name": "20newsgroups"}).most_clients == len(kept)
    raw = {"name": "20newsgroups", "edition": "raw"}
    assert TASK.validate_python(raw).most_clients is None
    for name in ("fashion_mnist", "fashion_scenes"):
        assert (
            TASK.validate_python({"name": name}).most_clients == 30_000 - fashion_mnist.VALIDATION
        )
    assert TASK.validate_python({"name": "cifar10"}).most_clients is None
