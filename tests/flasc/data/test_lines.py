"""The split of users."""

from flasc.data.lines import split_users


def test_users_are_split_once():
    users = [f"u{i}" for i in range(100)] * 2
    train, validation, test = split_users(users)
    assert (len(train), len(validation), len(test)) == (80, 10, 10)
    assert train | validation | test == set(users)
    assert split_users(users[::-1]) == (train, validation, test)
