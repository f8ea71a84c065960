"""Wire formats: a sparse vector as bytes, and back. Numpy alone; torch-free.

A message carries k values at increasing indices of a vector of length n: a header of 12 bytes, the
values, then whatever the wire needs to say where they belong. docs/wire.md gives every byte.

    dense     all n values, zeros outside the support: no index
    bitmask   one bit for each of the n
    coo       one uint32 for each of the k
    rice      the gaps between indices, coded as Golomb (1966) and Rice (1979) do
    aligned   no index: both ends know the support already
    auto      the shortest of the first four
    indexed   the shortest of the three that carry the support: dense shows zeros in its place

A full support (k = n) is sent dense, whatever the wire. All is little-endian, and bits fill a byte
from its least significant end. fp32 comes back bit for bit. fp16 rounds to the nearest, ties to
even, and saturates finite values at +-65504: one overflow to infinity would end the training.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from flasc.errors import CodecError

Values = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

DTYPES = ("fp32", "fp16")  # a message names one by its place here

_MAGIC = b"FL\x01"  # with the version
_HEADER = struct.Struct("<3sBII")  # magic, wire + 16 * dtype, n, k
_ITEM_BYTES = {"fp32": 4, "fp16": 2}
_FP16_MAX = np.float32(65504)
_RICE_MAX = 31  # gaps fit 32 bits


@dataclass(frozen=True, slots=True)
class SparseVector:
    """What a message says: float32[k] at increasing int64[k] of a vector of length `n`.

    `indices` is None where all n values came dense.
    """

    n: int
    values: Values
    indices: Indices | None

    def to_dense(self) -> Values:
        """float32[n], zero outside the support; `values` itself where they came dense."""
        return _scatter(self.values, self.indices, self.n)


def encode(
    values: Values, indices: Indices | None, n: int, *, wire: str = "auto", dtype: str = "fp32"
) -> bytes:
    """The message of float32[k] at strictly increasing int64[k] below `n` < 2**32.

    `indices` None means all n. Raises ValueError for an unknown wire or dtype.
    """
    assert values.dtype == np.float32, f"float32, found {values.dtype}"
    assert values.shape == ((n,) if indices is None else indices.shape), "one value an index"
    wire = _resolve(indices, n, wire, dtype)
    if wire == "dense":
        values, indices = _scatter(values, indices, n), None
    index = b"" if indices is None else _WIRES[wire].encode(indices, n)
    kind = list(_WIRES).index(wire) | DTYPES.index(dtype) << 4
    return _HEADER.pack(_MAGIC, kind, n, len(values)) + _narrow(values, dtype) + index


def decode(message: bytes, *, n: int, support: Indices | None = None) -> SparseVector:
    """What a message says of a vector of length `n`; the bytes may be anything at all.

    `support`, increasing int64[k], is what an aligned message refers to; other wires ignore it.
    Time and memory are bounded by n and the message's length, whatever the header claims. Raises
    CodecError for bytes that are no message for a vector of this length.
    """
    _expect(len(message) >= _HEADER.size, f"{len(message)} bytes, shorter than a header")
    magic, kind, n_sent, k = _HEADER.unpack_from(message)
    _expect(magic == _MAGIC, f"starts with {magic!r}, not {_MAGIC!r}")
    _expect(kind & 15 < len(_WIRES) and kind >> 4 < len(DTYPES), f"unknown wire {kind:#04x}")
    _expect(n_sent == n, f"a vector of length {n_sent}, not {n}")
    _expect(k <= n, f"{k} values for a vector of length {n}")
    wire, dtype = list(_WIRES)[kind & 15], DTYPES[kind >> 4]
    body, end = np.frombuffer(message, np.uint8)[_HEADER.size :], value_bytes(k, dtype)
    _expect(len(body) >= end, f"values of {end} bytes cut short at {len(body)}")
    indices = _WIRES[wire].decode(body[end:], n, k, support)
    return SparseVector(n, _widen(body[:end], dtype), indices)


def size(indices: Indices | None, n: int, *, wire: str = "auto", dtype: str = "fp32") -> int:
    """Length of `encode`'s message, bytes, without building it. Arguments and errors as there."""
    return _size(indices, n, _resolve(indices, n, wire, dtype), dtype)


def value_bytes(k: int, dtype: str = "fp32") -> int:
    """Bytes of `k` values alone: what the paper counts. Raises ValueError for an unknown dtype."""
    _allow(dtype, DTYPES, "value type")
    return k * _ITEM_BYTES[dtype]


def _resolve(indices: Indices | None, n: int, wire: str, dtype: str) -> str:
    """The wire that a message takes."""
    _allow(wire, WIRES, "wire")
    _allow(dtype, DTYPES, "value type")
    assert 0 <= n < 2**32, f"the header counts to 2**32, found n = {n}"
    assert indices is None or _is_support(indices, n), f"indices must increase and lie below {n}"
    if indices is None or len(indices) == n:
        return "dense"
    if wire in _CHOICES:
        return min(_CHOICES[wire], key=lambda each: _size(indices, n, each, dtype))
    return wire


def _size(indices: Indices | None, n: int, wire: str, dtype: str) -> int:
    if indices is None or wire == "dense":
        return _HEADER.size + value_bytes(n, dtype)
    return _HEADER.size + value_bytes(len(indices), dtype) + _WIRES[wire].nbytes(indices, n)


def _allow(name: str, names: tuple[str, ...], what: str) -> None:
    if name not in names:
        raise ValueError(f"found {what} {name!r}; allowed: {', '.join(names)}")


def _expect(condition: bool, found: str) -> None:
    if not condition:
        raise CodecError(f"not a message: {found}")


def _is_support(indices: Indices, n: int) -> bool:
    if indices.ndim != 1 or indices.dtype != np.int64:
        return False
    if not len(indices):
        return True
    return bool(indices[0] >= 0 and indices[-1] < n and np.all(indices[1:] > indices[:-1]))


# Values


def _scatter(values: Values, indices: Indices | None, n: int) -> Values:
    if indices is None:
        return values
    dense = np.zeros(n, np.float32)
    dense[indices] = values
    return dense


def _narrow(values: Values, dtype: str) -> bytes:
    if dtype == "fp32":  # as integers, for no float operation may touch a NaN's payload
        return values.view(np.uint32).astype("<u4").tobytes()
    with np.errstate(all="ignore"):  # a signalling NaN or an underflow is no news here
        finite = np.clip(values, -_FP16_MAX, _FP16_MAX)
        return np.where(np.isinf(values), values, finite).astype("<f2").tobytes()


def _widen(data: Bytes, dtype: str) -> Values:
    if dtype == "fp32":
        return data.view("<u4").astype(np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        return data.view("<f2").astype(np.float32)


# Bits


def _bytes(nbits: int) -> int:
    return -(-nbits // 8)


def _pack(bits: Bits) -> bytes:
    return np.packbits(bits, bitorder="little").tobytes()


def _unpack(data: Bytes, nbits: int) -> Bits:
    _expect(len(data) == _bytes(nbits), f"{nbits} bits in {len(data)} bytes")
    bits = np.unpackbits(data, bitorder="little").view(np.bool_)
    _expect(not bits[nbits:].any(), "padding that is not zero")
    return bits[:nbits]


# Indices: each wire knows its length, its bytes, and its bytes' meaning


def _encode_bitmask(indices: Indices, n: int) -> bytes:
    mask = np.zeros(n, np.bool_)
    mask[indices] = True
    return _pack(mask)


def _decode_bitmask(data: Bytes, n: int, k: int, support: Indices | None) -> Indices:
    indices = np.flatnonzero(_unpack(data, n))
    _expect(len(indices) == k, f"{len(indices)} indices for {k} values")
    return indices


def _decode_coo(data: Bytes, n: int, k: int, support: Indices | None) -> Indices:
    _expect(len(data) == 4 * k, f"{len(data)} bytes for {k} indices")
    indices = data.view("<u4").astype(np.int64)
    _expect(_is_support(indices, n), f"indices that do not increase or pass {n}")
    return indices


def _gaps(indices: Indices) -> Indices:
    """int64[k]: how many entries are skipped before each index."""
    return np.diff(indices, prepend=-1) - 1


def _rice(gaps: Indices) -> tuple[int, int]:
    """The parameter of the shortest code, and that code's length in bytes."""

    def nbytes(parameter: int) -> int:
        return 1 + _bytes(k * parameter) + _bytes(k + int(np.sum(gaps >> parameter)))

    k = len(gaps)
    best, shortest = 0, nbytes(0)
    for parameter in range(1, _RICE_MAX + 1):
        # Remainders and the ends of gaps alone are no shorter, and only grow from here.
        if 1 + _bytes(k * parameter) + _bytes(k) >= shortest:
            break
        if (length := nbytes(parameter)) < shortest:
            best, shortest = parameter, length
    return best, shortest


def _encode_rice(indices: Indices, n: int) -> bytes:
    gaps = _gaps(indices)
    parameter, _ = _rice(gaps)
    remainders = (gaps[:, None] >> np.arange(parameter) & 1).astype(np.bool_)
    lengths = np.cumsum((gaps >> parameter) + 1)
    unary = np.zeros(lengths[-1] if len(gaps) else 0, np.bool_)
    unary[lengths - 1] = True
    return bytes([parameter]) + _pack(remainders) + _pack(unary)


def _decode_rice(data: Bytes, n: int, k: int, support: Indices | None) -> Indices:
    _expect(len(data) > 0 and data[0] <= _RICE_MAX, "no Rice parameter")
    parameter = int(data[0])
    split = 1 + _bytes(k * parameter)
    longest = split + _bytes(k + (n - k >> parameter))
    _expect(len(data) <= longest, f"{len(data)} bytes for {k} gaps in {n}")
    remainders = _unpack(data[1:split], k * parameter).reshape(k, parameter)
    ends = np.flatnonzero(np.unpackbits(data[split:], bitorder="little").view(np.bool_))
    _expect(len(ends) == k, f"{len(ends)} gaps for {k} values")
    used = _bytes(int(ends[-1]) + 1) if k else 0
    _expect(len(data) - split == used, f"{len(data) - split - used} bytes after the last gap")
    gaps = np.diff(ends, prepend=-1) - 1 << parameter
    for bit in range(parameter):
        gaps |= remainders[:, bit].astype(np.int64) << bit
    indices = np.cumsum(gaps + 1) - 1
    _expect(not k or indices[-1] < n, f"gaps that pass {n}")
    return indices


def _decode_dense(data: Bytes, n: int, k: int, support: Indices | None) -> None:
    _expect(len(data) == 0 and k == n, f"{k} values of {n} and {len(data)} bytes, sent dense")


def _decode_aligned(data: Bytes, n: int, k: int, support: Indices | None) -> Indices:
    _expect(len(data) == 0, f"{len(data)} bytes after the values")
    if support is None:
        raise CodecError("an aligned message", hint="decode it with the support it refers to")
    assert _is_support(support, n), f"the support must increase and lie below {n}"
    _expect(len(support) == k, f"{k} values for a support of {len(support)}")
    return support


class _Wire(NamedTuple):
    nbytes: Callable[[Indices, int], int]
    encode: Callable[[Indices, int], bytes]
    decode: Callable[[Bytes, int, int, Indices | None], Indices | None]


_WIRES = {  # a message names one by its place here
    "dense": _Wire(lambda indices, n: 0, lambda indices, n: b"", _decode_dense),
    "bitmask": _Wire(lambda indices, n: _bytes(n), _encode_bitmask, _decode_bitmask),
    "coo": _Wire(
        lambda indices, n: 4 * len(indices),
        lambda indices, n: indices.astype("<u4").tobytes(),
        _decode_coo,
    ),
    "rice": _Wire(lambda indices, n: _rice(_gaps(indices))[1], _encode_rice, _decode_rice),
    "aligned": _Wire(lambda indices, n: 0, lambda indices, n: b"", _decode_aligned),
}
_CHOICES = {
    "auto": ("dense", "bitmask", "coo", "rice"),
    "indexed": ("bitmask", "coo", "rice"),
}
WIRES = (*_CHOICES, *_WIRES)
