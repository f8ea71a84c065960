from flasc.common.settings import Settings


class Inner(Settings):
    x: int = 1


class Outer(Settings):
    inner: Inner = Inner.model_construct()


def test_validators_are_built_at_their_first_use():
    """Most classes are only used inside another one."""
    assert not Inner.__pydantic_complete__
    assert not Outer.__pydantic_complete__
    assert Outer.model_validate({"inner": {"x": 2}}).inner.x == 2
    assert Outer.__pydantic_complete__
