"""What values and indices are made of, and how both refuse bytes."""

import numpy as np
import numpy.typing as npt

from flasc.common.errors import CodecError

Values = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


def expect(condition: bool, found: str) -> None:
    """Raises CodecError, which says what was `found`, where the condition does not hold."""
    if not condition:
        raise CodecError(f"not a message: {found}")


def allow(name: str, names: tuple[str, ...], what: str) -> None:
    """Raises ValueError for a name that is not among `names`."""
    if name not in names:
        raise ValueError(f"found {what} {name!r}; allowed: {', '.join(names)}")
