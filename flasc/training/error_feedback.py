"""Error feedback: what a client's upload leaves out is added to what it sends next.

Seide et al. 2014 for one bit a value; Stich et al. 2018 (arXiv 1809.07599) prove it for top-k,
Karimireddy et al. 2019 (arXiv 1901.09847) for any contraction: e' = (e + delta) - Q(e + delta).

A memory is kept as a message of `codec`, fp32: exact, and no longer than its non-zero entries need.
"""

import numpy as np
import torch
from torch import Tensor

from flasc import codec

NOTHING = b""


def remember(left_out: Tensor) -> bytes:
    """What a client keeps of float32 [n]: at most 12 + 4 n bytes, none where all is zero."""
    values = left_out.cpu().numpy()
    indices = np.flatnonzero(values)
    return codec.encode(values[indices], indices, len(values)) if len(indices) else NOTHING


def add(delta: Tensor, memory: bytes) -> Tensor:
    """float32 [n] of an update and what was left out before; the update itself without memory."""
    if memory == NOTHING:
        return delta
    left_out = torch.from_numpy(codec.decode(memory, n=len(delta)).to_dense())
    return delta + left_out.to(delta.device)


class Memories:
    """What each client has yet to send, by client; most never took part and have nothing."""

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
        """Take up a state, exactly."""
        self._kept = {int(c): memory.cpu().numpy().tobytes() for c, memory in state.items()}
