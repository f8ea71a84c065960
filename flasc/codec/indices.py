"""Indices of the values of a message as bytes.

    dense     all n values, zeros outside the support: no index
    bitmask   one bit for each of the n
    coo       one uint32 for each of the k
    rice      the gaps between indices, coded as in Golomb (1966) and Rice (1979)
    aligned   no index: sender and receiver know the support
    auto      the shortest of the first four
    indexed   the shortest of the three that carry the support (dense has zeros instead)

A full support (k = n) is always sent dense.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from flasc.codec.base import Bits, Bytes, Indices, expect
from flasc.common.errors import CodecError

_RICE_MAX = 31  # gaps fit 32 bits


def is_support(indices: Indices, n: int) -> bool:
    """Whether `indices` are int64 [k], increasing, and from 0 to below `n`."""
    if indices.ndim != 1 or indices.dtype != np.int64:
        return False
    if not len(indices):
        return True
    return bool(indices[0] >= 0 and indices[-1] < n and np.all(indices[1:] > indices[:-1]))


def _bytes(nbits: int) -> int:
    return -(-nbits // 8)


def _pack(bits: Bits) -> bytes:
    return np.packbits(bits, bitorder="little").tobytes()


def _unpack(data: Bytes, nbits: int) -> Bits:
    expect(len(data) == _bytes(nbits), f"{nbits} bits in {len(data)} bytes")
    bits = np.unpackbits(data, bitorder="little").view(np.bool_)
    expect(not bits[nbits:].any(), "padding that is not zero")
    return bits[:nbits]


def _encode_bitmask(indices: Indices, n: int) -> bytes:
    mask = np.zeros(n, np.bool_)
    mask[indices] = True
    return _pack(mask)


def _decode_bitmask(data: Bytes, n: int, k: int, _support: Indices | None) -> Indices:
    indices = np.flatnonzero(_unpack(data, n))
    expect(len(indices) == k, f"{len(indices)} indices for {k} values")
    return indices


def _decode_coo(data: Bytes, n: int, k: int, _support: Indices | None) -> Indices:
    expect(len(data) == 4 * k, f"{len(data)} bytes for {k} indices")
    indices = data.view("<u4").astype(np.int64)
    expect(is_support(indices, n), f"indices that do not increase or pass {n}")
    return indices


def _gaps(indices: Indices) -> Indices:
    """int64 [k]: how many entries are skipped before each index."""
    return np.diff(indices, prepend=-1) - 1


def _rice(gaps: Indices) -> tuple[int, int]:
    """The parameter of the shortest code, and the length of that code in bytes."""

    def nbytes(parameter: int) -> int:
        return 1 + _bytes(k * parameter) + _bytes(k + int(np.sum(gaps >> parameter)))

    k = len(gaps)
    best, shortest = 0, nbytes(0)
    for parameter in range(1, _RICE_MAX + 1):
        # Remainders and ends of gaps are as long already, and grow with the parameter.
        if 1 + _bytes(k * parameter) + _bytes(k) >= shortest:
            break
        if (length := nbytes(parameter)) < shortest:
            best, shortest = parameter, length
    return best, shortest


def _encode_rice(indices: Indices, _n: int) -> bytes:
    gaps = _gaps(indices)
    parameter, _ = _rice(gaps)
    remainders = (gaps[:, None] >> np.arange(parameter) & 1).astype(np.bool_)
    lengths = np.cumsum((gaps >> parameter) + 1)
    unary = np.zeros(lengths[-1] if len(gaps) else 0, np.bool_)
    unary[lengths - 1] = True
    return bytes([parameter]) + _pack(remainders) + _pack(unary)


def _decode_rice(data: Bytes, n: int, k: int, _support: Indices | None) -> Indices:
    expect(len(data) > 0 and data[0] <= _RICE_MAX, "no Rice parameter")
    parameter = int(data[0])
    split = 1 + _bytes(k * parameter)
    longest = split + _bytes(k + (n - k >> parameter))
    expect(len(data) <= longest, f"{len(data)} bytes for {k} gaps in {n}")
    remainders = _unpack(data[1:split], k * parameter).reshape(k, parameter)
    ends = np.flatnonzero(np.unpackbits(data[split:], bitorder="little").view(np.bool_))
    expect(len(ends) == k, f"{len(ends)} gaps for {k} values")
    used = _bytes(int(ends[-1]) + 1) if k else 0
    expect(len(data) - split == used, f"{len(data) - split - used} bytes after the last gap")
    gaps = np.diff(ends, prepend=-1) - 1 << parameter
    for bit in range(parameter):
        gaps |= remainders[:, bit].astype(np.int64) << bit
    indices = np.cumsum(gaps + 1) - 1
    expect(not k or indices[-1] < n, f"gaps that pass {n}")
    return indices


def _decode_dense(data: Bytes, n: int, k: int, _support: Indices | None) -> None:
    expect(len(data) == 0 and k == n, f"{k} values of {n} and {len(data)} bytes, sent dense")


def _decode_aligned(data: Bytes, n: int, k: int, support: Indices | None) -> Indices:
    expect(len(data) == 0, f"{len(data)} bytes after the values")
    if support is None:
        raise CodecError("an aligned message", hint="decode it with the support it refers to")
    assert is_support(support, n), f"the support must increase and lie below {n}"
    expect(len(support) == k, f"{k} values for a support of {len(support)}")
    return support


class Wire(NamedTuple):
    """An index format: its length in bytes, its encoder and its decoder."""

    nbytes: Callable[[Indices, int], int]
    encode: Callable[[Indices, int], bytes]
    decode: Callable[[Bytes, int, int, Indices | None], Indices | None]


FORMATS = {  # a message holds the position of its format in this table
    "dense": Wire(lambda *_: 0, lambda *_: b"", _decode_dense),
    "bitmask": Wire(lambda _, n: _bytes(n), _encode_bitmask, _decode_bitmask),
    "coo": Wire(
        lambda indices, _: 4 * len(indices),
        lambda indices, _: indices.astype("<u4").tobytes(),
        _decode_coo,
    ),
    "rice": Wire(lambda indices, _: _rice(_gaps(indices))[1], _encode_rice, _decode_rice),
    "aligned": Wire(lambda *_: 0, lambda *_: b"", _decode_aligned),
}
CHOICES = {"auto": ("dense", "bitmask", "coo", "rice"), "indexed": ("bitmask", "coo", "rice")}
WIRES = (*CHOICES, *FORMATS)
