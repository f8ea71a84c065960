"""Array types and checks shared by values and indices."""

import numpy as np
import numpy.typing as npt

from flasc.common.errors import CodecError

Values = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


def expect(condition: bool, found: str) -> None:
    """Raises CodecError, with what was `found`, unless the condition holds."""
    if not condition:
        raise CodecError(f"not a message: {found}")


def allow(name: str, names: tuple[str, ...], what: str) -> None:
    """Raises ValueError unless `name` is among `names`."""
    if name not in names:
        raise ValueError(f"found {what} {name!r}; allowed: {', '.join(names)}")
