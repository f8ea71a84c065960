"""Messages: header, values, index."""

import struct
from dataclasses import dataclass

import numpy as np

from flasc.codec import indices as formats
from flasc.codec.base import Indices, Values, allow, expect
from flasc.codec.values import DTYPES, narrow, value_bytes, widen

_MAGIC = b"FL\x01"  # includes the version
_HEADER = struct.Struct("<3sBII")  # magic, wire + 16 * dtype, n, k


@dataclass(frozen=True, slots=True)
class SparseVector:
    """A decoded message: float32 [k] at increasing int64 [k] of a vector of length `n`.

    `indices` is None if all n values were sent dense.
    """

    n: int
    values: Values
    indices: Indices | None

    def to_dense(self) -> Values:
        """float32 [n], zero outside the support; `values` itself for a dense message."""
        return _scatter(self.values, self.indices, self.n)


def encode(
    values: Values,
    indices: Indices | None,
    n: int,
    *,
    wire: str = "auto",
    dtype: str = "fp32",
    stream: np.random.Generator | None = None,
) -> bytes:
    """The message of float32 [k] at strictly increasing int64 [k] below `n` < 2**32.

    `indices` None means all n. With `stream`, int8 and int4 are rounded stochastically by its
    draws; otherwise to the nearest, as floats are. Raises ValueError for an unknown wire or dtype,
    and DivergedError for values that are not finite if the dtype cannot represent them.
    """
    assert values.dtype == np.float32, f"float32, found {values.dtype}"
    assert values.shape == ((n,) if indices is None else indices.shape), "one value per index"
    wire = _resolve(indices, n, wire, dtype)
    if wire == "dense":
        values, indices = _scatter(values, indices, n), None
    index = b"" if indices is None else formats.FORMATS[wire].encode(indices, n)
    kind = list(formats.FORMATS).index(wire) | DTYPES.index(dtype) << 4
    return _HEADER.pack(_MAGIC, kind, n, len(values)) + narrow(values, dtype, stream) + index


def decode(message: bytes, *, n: int, support: Indices | None = None) -> SparseVector:
    """The content of a message for a vector of length `n`; any bytes are accepted as input.

    `support`, increasing int64 [k], is the support of an aligned message; other wires ignore it.
    Time and memory are bounded by n and the message's length, whatever its header states. Raises
    CodecError if the bytes are not a message for a vector of this length.
    """
    expect(len(message) >= _HEADER.size, f"{len(message)} bytes, shorter than a header")
    magic, kind, n_sent, k = _HEADER.unpack_from(message)
    expect(magic == _MAGIC, f"starts with {magic!r}, not {_MAGIC!r}")
    known = kind & 15 < len(formats.FORMATS) and kind >> 4 < len(DTYPES)
    expect(known, f"unknown wire {kind:#04x}")
    expect(n_sent == n, f"a vector of length {n_sent}, not {n}")
    expect(k <= n, f"{k} values for a vector of length {n}")
    wire, dtype = list(formats.FORMATS)[kind & 15], DTYPES[kind >> 4]
    body, end = np.frombuffer(message, np.uint8)[_HEADER.size :], value_bytes(k, dtype)
    expect(len(body) >= end, f"values of {end} bytes cut short at {len(body)}")
    indices = formats.FORMATS[wire].decode(body[end:], n, k, support)
    return SparseVector(n, widen(body[:end], dtype, k), indices)


def size(indices: Indices | None, n: int, *, wire: str = "auto", dtype: str = "fp32") -> int:
    """Length of the message of `encode`, bytes, without building it. Same arguments and errors."""
    return _size(indices, n, _resolve(indices, n, wire, dtype), dtype)


def _resolve(indices: Indices | None, n: int, wire: str, dtype: str) -> str:
    """The wire format that a message uses."""
    allow(wire, formats.WIRES, "wire")
    allow(dtype, DTYPES, "value type")
    assert 0 <= n < 2**32, f"the header counts to 2**32, found n = {n}"
    increasing = indices is None or formats.is_support(indices, n)
    assert increasing, f"indices must increase and lie below {n}"
    if indices is None or len(indices) == n:
        return "dense"
    if wire in formats.CHOICES:
        return min(formats.CHOICES[wire], key=lambda each: _size(indices, n, each, dtype))
    return wire


def _size(indices: Indices | None, n: int, wire: str, dtype: str) -> int:
    if indices is None or wire == "dense":
        return _HEADER.size + value_bytes(n, dtype)
    index = formats.FORMATS[wire].nbytes(indices, n)
    return _HEADER.size + value_bytes(len(indices), dtype) + index


def _scatter(values: Values, indices: Indices | None, n: int) -> Values:
    if indices is None:
        return values
    dense = np.zeros(n, np.float32)
    dense[indices] = values
    return dense
