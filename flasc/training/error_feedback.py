"""Error feedback: what a client's upload omits is added to its next upload.

Seide et al. 2014 for one bit per value; Stich et al. 2018 (arXiv 1809.07599) prove convergence for
top-k, Karimireddy et al. 2019 (arXiv 1901.09847) for any contraction: e' = (e + delta) - Q(e +
delta).

A memory is stored as a message of `codec` in fp32: exact, and small if few entries are non-zero.
"""

import numpy as np
import torch
from torch import Tensor

from flasc import codec

NOTHING = b""


def remember(left_out: Tensor) -> bytes:
    """The memory of float32 [n]: at most 12 + 4 n bytes, none if all entries are zero."""
    values = left_out.cpu().numpy()
    indices = np.flatnonzero(values)
    return codec.encode(values[indices], indices, len(values)) if len(indices) else NOTHING


def add(delta: Tensor, memory: bytes) -> Tensor:
    """The sum, float32 [n], of an update and a memory."""
    if memory == NOTHING:
        return delta
    left_out = torch.from_numpy(codec.decode(memory, n=len(delta)).to_dense())
    return delta + left_out.to(delta.device)


class Memories:
    """The memory of each client; most clients have never taken part and have none."""

    def __init__(self) -> None:
        self._kept: dict[int, bytes] = {}

    def __getitem__(self, client: int) -> bytes:
        return self._kept.get(client, NOTHING)

    def __setitem__(self, client: int, memory: bytes) -> None:
        self._kept.pop(client, None)
        if memory != NOTHING:
            self._kept[client] = memory

    def state(self) -> dict[str, Tensor]:
        """{client: uint8}, for `restore`."""
        return {str(c): torch.tensor(np.frombuffer(m, np.uint8)) for c, m in self._kept.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restores a state exactly."""
        self._kept = {int(c): memory.cpu().numpy().tobytes() for c, memory in state.items()}
