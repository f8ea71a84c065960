"""Methods: which entries go down, may train and go up. One small file each, one line here.

A method is asked once a round and keeps no clock; what it must remember from round to round it
keeps in `state`, so that a training can be restored exactly. Masks are bool [n] tensors; None
stands for every entry.
"""

from flasc import config
from flasc.methods.base import Mask, Method
from flasc.methods.dense import DenseLora, Full, Head
from flasc.methods.flasc import Flasc
from flasc.methods.sparse_adapter import SparseAdapter

__all__ = ["METHODS", "Mask", "Method", "build"]

METHODS: dict[type[config.MethodSettings], type[Method]] = {
    config.Full: Full,
    config.Head: Head,
    config.DenseLora: DenseLora,
    config.Flasc: Flasc,
    config.SparseAdapter: SparseAdapter,
}


def build(settings: config.Method) -> Method:
    """The method that these settings describe."""
    return METHODS[type(settings)](settings)
