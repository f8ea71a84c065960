"""Wire formats: a sparse vector as bytes, and back. Uses NumPy only.

A message carries k values at increasing indices of a vector of length n: a header of 12 bytes, the
values (`values`), then the index that the wire format needs (`indices`). All numbers are
little-endian, and bits fill a byte from its least significant end. Every byte is described in
docs/reference/wire_formats.md.
"""

from flasc.codec.indices import WIRES
from flasc.codec.message import SparseVector, decode, encode, size
from flasc.codec.values import DTYPES, value_bytes

__all__ = ["DTYPES", "WIRES", "SparseVector", "decode", "encode", "size", "value_bytes"]
