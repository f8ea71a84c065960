"""Wire formats: a sparse vector as bytes, and back. Numpy alone; torch-free.

A message carries k values at increasing indices of a vector of length n: a header of 12 bytes, the
values (`values`), then whatever the wire needs to say where they belong (`indices`).
docs/reference/wire_formats.md
gives every byte. All is little-endian, and bits fill a byte from its least significant end.
"""

from flasc.codec.indices import WIRES
from flasc.codec.message import SparseVector, decode, encode, size
from flasc.codec.values import DTYPES, value_bytes

__all__ = ["DTYPES", "WIRES", "SparseVector", "decode", "encode", "size", "value_bytes"]
