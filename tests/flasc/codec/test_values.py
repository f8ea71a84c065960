"""Integers on the wire: error bounds, no bias, the documented bytes, and what is refused."""

import struct

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from flasc.codec import DTYPES, decode, encode, value_bytes
from flasc.common.errors import CodecError, DivergedError

LEVELS = {"int8": 127, "int4": 7}
BLOCK, HEADER = 64, 12
every_integer = pytest.mark.parametrize("dtype", LEVELS)
vectors = arrays.arrays(
    np.float32,
    st.integers(0, 200),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


def there_and_back(values, dtype, stream=None):
    message = encode(values, None, len(values), dtype=dtype, stream=stream)
    return decode(message, n=len(values)).values


def steps(values, dtype):
    """float64 [k]: the step of each value's block, in plain Python."""
    blocks = [values[at : at + BLOCK].astype(float) for at in range(0, len(values), BLOCK)]
    found = [np.full(len(b), np.abs(b).max() / LEVELS[dtype]) for b in blocks]
    return np.concatenate([np.zeros(0), *found])


def ulp(values):
    """At least what the float32 that carries a result cannot say."""
    return np.maximum(np.abs(values.astype(float)) * 2.0**-23, 2.0**-149)


def read(body, k, dtype):
    """Values as docs/reference/wire_formats.md has them, one at a time."""
    scales = [s for (s,) in struct.iter_unpack("<f", body[: 4 * -(-k // BLOCK)])]
    codes = body[4 * len(scales) :]
    if dtype == "int4":
        nibbles = [nibble for byte in codes for nibble in (byte & 15, byte >> 4)]
        numbers = [nibble - 16 * (nibble > 7) for nibble in nibbles[:k]]
    else:
        numbers = [code - 256 * (code > 127) for code in codes]
    return [scales[i // BLOCK] * code / LEVELS[dtype] for i, code in enumerate(numbers)]


@every_integer
@given(values=vectors)
def test_the_error_is_at_most_half_a_step(dtype, values):
    error = np.abs(there_and_back(values, dtype).astype(float) - values)
    assert (error <= steps(values, dtype) / 2 + ulp(values)).all()


@every_integer
@given(values=vectors)
def test_zero_and_the_largest_of_each_block_come_back_exactly(dtype, values):
    back = there_and_back(values, dtype)
    largest = np.abs(values) == np.float32(steps(values, dtype) * LEVELS[dtype])
    np.testing.assert_array_equal(back[largest], values[largest])
    assert not back[values == 0].any()


@every_integer
@given(values=vectors)
def test_what_was_rounded_to_the_nearest_stays(dtype, values):
    once = there_and_back(values, dtype)
    np.testing.assert_array_equal(there_and_back(once, dtype), once)


@every_integer
@given(values=vectors, seed=st.integers(0, 99))
def test_stochastic_rounding_takes_a_neighbour(dtype, values, seed):
    back = there_and_back(values, dtype, np.random.default_rng(seed)).astype(float)
    error = np.abs(back - values)
    assert (error <= steps(values, dtype) * (1 + 1e-6) + ulp(values)).all()
    assert (np.abs(back) <= steps(values, dtype) * LEVELS[dtype] * (1 + 1e-7)).all()


@every_integer
def test_stochastic_rounding_has_no_bias_and_the_nearest_has(dtype):
    """The mean of N draws of variance p (1 - p) step^2 lies within 5 of its standard errors."""
    values = np.random.default_rng(0).normal(size=100).astype(np.float32)
    stream, n = np.random.default_rng(1), 4000
    step = steps(values, dtype)
    draws = np.array([there_and_back(values, dtype, stream) for _ in range(n)], float)
    share = values / step - np.floor(values / step)
    error = np.sqrt(share * (1 - share) / n) * step
    np.testing.assert_array_less(np.abs(draws.mean(0) - values), 5 * error + 1e-6)
    np.testing.assert_allclose(draws.var(0) / step**2, share * (1 - share), atol=0.02)
    biased = np.abs(there_and_back(values, dtype) - values)
    assert (biased > 5 * error + 1e-6).any()


@every_integer
@given(values=vectors)
def test_the_bytes_are_those_of_the_docs(dtype, values):
    message = encode(values, None, len(values), dtype=dtype)
    wanted = np.array(read(message[HEADER:], len(values), dtype)).astype(np.float32)
    np.testing.assert_array_equal(decode(message, n=len(values)).values, wanted)


def test_an_outlier_coarsens_its_own_block_only():
    values = np.full(128, 0.5, np.float32)
    values[3] = 1000
    back = there_and_back(values, "int4")
    assert not back[:3].any()
    assert (back[64:] == 0.5).all()


@pytest.mark.parametrize("k", [0, 1, 2, 63, 64, 65, 1000])
def test_bytes_of_values(k):
    scales = 4 * -(-k // 64)
    wanted = {"fp32": 4 * k, "fp16": 2 * k, "int8": scales + k, "int4": scales + (k + 1) // 2}
    assert {dtype: value_bytes(k, dtype) for dtype in DTYPES} == wanted


@every_integer
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_is_said_to_diverge(dtype, bad):
    with pytest.raises(DivergedError, match="infinite or not a number"):
        encode(np.array([1, bad], np.float32), None, 2, dtype=dtype)


def message(kind, k, *parts):
    return struct.pack("<2sBBII", b"FL", 1, kind, k, k) + b"".join(parts)


@pytest.mark.parametrize(
    ("content", "n", "found"),
    [
        (message(0x20, 1, struct.pack("<f", np.nan), b"\1"), 1, "scale that is infinite"),
        (message(0x20, 1, struct.pack("<f", np.inf), b"\1"), 1, "scale that is infinite"),
        (message(0x20, 1, struct.pack("<f", -1.0), b"\1"), 1, "scale below zero"),
        (message(0x20, 1, struct.pack("<f", -0.0), b"\1"), 1, "scale below zero"),
        (message(0x20, 1, struct.pack("<f", 1.0), b"\x80"), 1, "code below -127"),
        (message(0x30, 1, struct.pack("<f", 1.0), b"\x08"), 1, "code below -7"),
        (message(0x30, 1, struct.pack("<f", 1.0), b"\x11"), 1, "padding"),
        (message(0x20, 65, struct.pack("<f", 1.0), bytes(65)), 65, "cut short"),
    ],
)
def test_damage_is_refused(content, n, found):
    with pytest.raises(CodecError, match=found):
        decode(content, n=n)


BEFORE = [  # 1, -2 and 0.5 at 5, 20 and 47 of 64, as encoded before there were integers
    "464c010140000000030000000000803f000000c00000003f2000100000800000",
    "464c01114000000003000000003c00c000382000100000800000",
    "464c010240000000030000000000803f000000c00000003f05000000140000002f000000",
    "464c01124000000003000000003c00c0003805000000140000002f000000",
    "464c010340000000030000000000803f000000c00000003f02292210",
    "464c01134000000003000000003c00c0003802292210",
]


@pytest.mark.parametrize("text", BEFORE)
def test_messages_of_before_integers_came_are_still_read(text):
    found = decode(bytes.fromhex(text), n=64)
    assert found.indices.tolist() == [5, 20, 47]
    assert found.values.tolist() == [1, -2, 0.5]
