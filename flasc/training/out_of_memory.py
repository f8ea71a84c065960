"""Memory that runs out: an error that the user can fix, not a traceback."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from flasc.common.errors import ModelError

_CPU = "DefaultCPUAllocator"  # torch raises a plain RuntimeError on a CPU
_HINT = (
    "lower task.tokens or training.client.batch, give fewer --workers (they share the memory), set "
    "training.precision: bf16, or choose a smaller model"
)


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Raises ModelError, which names what was `doing`, if memory runs out inside the block.

    The memory of the block is free before that: a worker continues with its next training.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if type(error) is RuntimeError and _CPU not in str(error):
            raise
        why = ". ".join(str(error).split(". ")[:2]).strip()
        traceback.clear_frames(error.__traceback__)  # their variables hold the tensors
    else:
        return
    torch.cuda.empty_cache()
    raise ModelError(f"memory ran out while {doing}" + (f": {why}" if why else ""), _HINT) from None
