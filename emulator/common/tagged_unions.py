"""Settings told apart by `kind`, which a scenario may write as a bare name or leave out."""

from collections.abc import Mapping

from pydantic import Discriminator


def spelled_out(value: object) -> object:
    """A bare name is that kind with its defaults."""
    return {"kind": value} if isinstance(value, str) else value


def kind_or(default: str) -> Discriminator:
    """A mapping without a kind is the default one."""

    def kind(value: object) -> str:
        if isinstance(value, Mapping):
            return str(value.get("kind", default))
        return str(getattr(value, "kind", default))

    return Discriminator(kind)
