"""Values as bytes: IEEE 754 floats, or integers with a scale per block.

    fp32    bit for bit
    fp16    to the nearest, ties to even; finite values saturate at +-65504, because one overflow
            to infinity would end the training
    int8    127 steps on each side of zero
    int4    7 steps on each side of zero

The integers are symmetric and scaled by the largest magnitude of each block of 64 values, as in
bitsandbytes (Dettmers et al. 2022, arXiv 2110.02861; Dettmers et al. 2023, arXiv 2305.14314), so
that an outlier affects 64 values and not the whole message. Stochastic rounding makes them
unbiased: QSGD (Alistarh et al. 2017, arXiv 1610.02132) with the maximum as norm.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from flasc.codec.base import Bytes, Values, allow, expect
from flasc.common.errors import DivergedError

Codes = npt.NDArray[np.int8]

BLOCK = 64  # values per scale: half a bit per value
_FP16_MAX = np.float32(65504)


def value_bytes(k: int, dtype: str = "fp32") -> int:
    """Bytes of `k` values, scales included: what the paper counts.

    Raises ValueError for an unknown dtype.
    """
    allow(dtype, DTYPES, "value type")
    return _TYPES[dtype].nbytes(k)


def narrow(values: Values, dtype: str, stream: np.random.Generator | None = None) -> bytes:
    """float32 [k] as bytes. Integers are rounded by draws of `stream`, or without it to nearest.

    Raises DivergedError if the dtype is an integer and a value is not finite.
    """
    return _TYPES[dtype].narrow(values, stream)


def widen(data: Bytes, dtype: str, k: int) -> Values:
    """float32 [k] from uint8 [value_bytes(k, dtype)]. Raises CodecError."""
    return _TYPES[dtype].widen(data, k)


def _narrow_fp32(values: Values, _stream: np.random.Generator | None) -> bytes:
    # As integers, because float operations may change the payload of a NaN.
    return values.view(np.uint32).astype("<u4").tobytes()


def _widen_fp32(data: Bytes, _k: int) -> Values:
    return data.view("<u4").astype(np.uint32).view(np.float32)


def _narrow_fp16(values: Values, _stream: np.random.Generator | None) -> bytes:
    with np.errstate(all="ignore"):  # ignores signalling NaNs and underflow
        finite = np.clip(values, -_FP16_MAX, _FP16_MAX)
        return np.where(np.isinf(values), values, finite).astype("<f2").tobytes()


def _widen_fp16(data: Bytes, _k: int) -> Values:
    with np.errstate(all="ignore"):
        return data.view("<f2").astype(np.float32)


# Integers: float32 [ceil(k / 64)] scales, then the codes


def _scales(k: int) -> int:
    return -(-k // BLOCK)


def _quantise(
    values: Values, levels: int, stream: np.random.Generator | None
) -> tuple[bytes, Codes]:
    """The scales as bytes, and a code within +-levels for each of the k values.

    Computed in float64, where code * scale / levels is exact to the last bit of a float32,
    denormals included.
    """
    padded = np.zeros(_scales(len(values)) * BLOCK)
    with np.errstate(invalid="ignore"):  # signalling NaNs are refused below
        padded[: len(values)] = values
    blocks = padded.reshape(-1, BLOCK)
    scales = np.abs(blocks).max(axis=1)
    if not np.isfinite(scales).all():
        raise DivergedError(
            "a message has values that are infinite or not a number, which integers cannot hold",
            hint="lower the learning rate of the clients or the server",
        )
    exact = blocks * levels / np.where(scales > 0, scales, 1)[:, None]
    rounded = np.rint(exact) if stream is None else np.floor(exact + stream.random(exact.shape))
    codes = rounded.clip(-levels, levels)  # levels + (1 - 2**-53) is levels + 1 in a float64
    return scales.astype("<f4").tobytes(), codes.astype(np.int8).ravel()[: len(values)]


def _dequantise(scales: Bytes, codes: Codes, levels: int) -> Values:
    of_block = scales.view("<f4")
    expect(bool(np.isfinite(of_block).all()), "a scale that is infinite or not a number")
    expect(not np.signbit(of_block).any(), "a scale below zero")
    expect(bool((codes >= -levels).all()), f"a code below -{levels}")
    of_value = np.repeat(of_block.astype(np.float64), BLOCK)[: len(codes)]
    return (codes * of_value / levels).astype(np.float32)


def _narrow_int8(values: Values, stream: np.random.Generator | None) -> bytes:
    scales, codes = _quantise(values, 127, stream)
    return scales + codes.tobytes()


def _widen_int8(data: Bytes, k: int) -> Values:
    split = 4 * _scales(k)
    return _dequantise(data[:split], data[split:].view(np.int8), 127)


def _narrow_int4(values: Values, stream: np.random.Generator | None) -> bytes:
    scales, codes = _quantise(values, 7, stream)
    nibbles = np.zeros(len(codes) + len(codes) % 2, np.uint8)
    nibbles[: len(codes)] = codes.view(np.uint8) & 15
    return scales + (nibbles[::2] | nibbles[1::2] << 4).tobytes()


def _widen_int4(data: Bytes, k: int) -> Values:
    split = 4 * _scales(k)
    nibbles = np.stack([data[split:] & 15, data[split:] >> 4], axis=1).ravel()
    expect(not nibbles[k:].any(), "padding that is not zero")
    codes = (nibbles[:k] ^ 8).view(np.int8) - np.int8(8)  # two's complement of four bits
    return _dequantise(data[:split], codes, 7)


class _Type(NamedTuple):
    nbytes: Callable[[int], int]
    narrow: Callable[[Values, np.random.Generator | None], bytes]
    widen: Callable[[Bytes, int], Values]


_TYPES = {  # a message holds the position of its type in this table
    "fp32": _Type(lambda k: 4 * k, _narrow_fp32, _widen_fp32),
    "fp16": _Type(lambda k: 2 * k, _narrow_fp16, _widen_fp16),
    "int8": _Type(lambda k: 4 * _scales(k) + k, _narrow_int8, _widen_int8),
    "int4": _Type(lambda k: 4 * _scales(k) + -(-k // 2), _narrow_int4, _widen_int4),
}
DTYPES = tuple(_TYPES)
