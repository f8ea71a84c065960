import doctest
import math
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from flasc.codec import DTYPES, WIRES, decode, encode, size, value_bytes
from flasc.common.errors import CodecError

HEADER = 12
INDEXED = ("bitmask", "coo", "rice")
SPECIAL = [0, 1 << 31, 1, 0x007FFFFF, 0x7F800000, 0xFF800000, 0x7F800001, 0xFFC12345, 0x477FF000]
PATTERNS = {
    "empty": lambda n: [],
    "first": lambda n: [0],
    "last": lambda n: [n - 1],
    "both ends": lambda n: sorted({0, n - 1}),
    "all": range,
    "all but one": lambda n: range(1, n),
    "alternating": lambda n: range(0, n, 2),
    "the end": lambda n: range(n - n // 8, n),
    "one huge gap": lambda n: [*range(n // 16), n - 1],
}


@st.composite
def supports(draw):
    """(n, indices): adversarial patterns and random masks."""
    if draw(st.booleans()):
        n = draw(st.integers(1, 5000))
        return n, np.array(PATTERNS[draw(st.sampled_from(list(PATTERNS)))](n), np.int64)
    mask = draw(st.lists(st.booleans(), max_size=80))
    return len(mask), np.flatnonzero(np.array(mask, bool)).astype(np.int64)


@st.composite
def vectors(draw):
    """(n, indices, values): any bits at all as values."""
    n, indices = draw(supports())
    bits = np.random.default_rng(draw(st.integers(0, 999))).integers(0, 2**32, len(indices))
    special = draw(st.lists(st.sampled_from(SPECIAL), max_size=len(indices)))
    bits[: len(special)] = special
    return n, indices, bits.astype(np.uint32).view(np.float32)


def header(kind, n, k):
    return struct.pack("<2sBBII", b"FL", 1, kind, n, k)


def random_vector(n, density, seed=0):
    rng = np.random.default_rng(seed)
    indices = np.sort(rng.choice(n, int(n * density), replace=False))
    return indices, rng.normal(size=len(indices)).astype(np.float32)


def same_bits(found, wanted):
    np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))


def half(value):
    """What a value becomes in fp16, by the standard library."""
    if math.isfinite(value):
        value = max(-65504.0, min(65504.0, value))
    return struct.unpack("<e", struct.pack("<e", value))[0]


def bits_of(data):
    return [byte >> bit & 1 for byte in data for bit in range(8)]


def read_rice(data, k):
    """Indices from a rice index, one bit at a time as docs/reference/wire_formats.md has it."""
    parameter, bits = data[0], bits_of(data[1:])
    unary = bits[-(-k * parameter // 8) * 8 :]
    indices, at, last = [], 0, -1
    for entry in range(k):
        quotient = unary.index(1, at) - at
        at += quotient + 1
        low = bits[entry * parameter : (entry + 1) * parameter]
        last += 1 + (quotient << parameter) + sum(bit << place for place, bit in enumerate(low))
        indices.append(last)
    return indices


# Round trips


@pytest.mark.parametrize("wire", WIRES)
@given(vector=vectors())
def test_fp32_comes_back_bit_for_bit(wire, vector):
    n, indices, values = vector
    out = decode(encode(values, indices, n, wire=wire), n=n, support=indices)
    dense = np.zeros(n, np.float32)
    dense[indices] = values
    same_bits(out.to_dense(), dense)
    if out.indices is not None:
        np.testing.assert_array_equal(out.indices, indices)
        same_bits(out.values, values)


@pytest.mark.parametrize("wire", WIRES)
@given(vector=vectors())
def test_fp16_rounds_and_saturates(wire, vector):
    n, indices, values = vector
    out = decode(encode(values, indices, n, wire=wire, dtype="fp16"), n=n, support=indices)
    dense = np.zeros(n)
    dense[indices] = [half(float(value)) for value in values]
    np.testing.assert_array_equal(out.to_dense(), dense.astype(np.float32))


def test_fp16_holds_every_half():
    values = np.arange(2**16, dtype=np.uint16).view(np.float16)
    values = values[~np.isnan(values)].astype(np.float32)
    same_bits(decode(encode(values, None, len(values), dtype="fp16"), n=len(values)).values, values)


def test_fp16_saturates_what_is_finite_and_only_that():
    values = np.array([65504, 65520, 3e38, -3e38, np.inf, -np.inf], np.float32)
    out = decode(encode(values, None, 6, dtype="fp16"), n=6).values
    assert out.tolist() == [65504, 65504, 65504, -65504, math.inf, -math.inf]


@given(vectors())
def test_rice_is_laid_out_as_documented(vector):
    n, indices, values = vector
    if 0 < len(indices) < n:
        message = encode(values, indices, n, wire="rice")
        assert read_rice(message[HEADER + values.nbytes :], len(indices)) == indices.tolist()


@pytest.mark.parametrize("wire", ["dense", "auto"])
def test_dense_loses_the_support_and_indexed_keeps_it(wire):
    indices, values = np.arange(1, 40), np.ones(39, np.float32)
    out = decode(encode(values, indices, 40, wire=wire), n=40)
    assert out.indices is None
    assert out.values.tolist() == [0] + 39 * [1]
    kept = decode(encode(values, indices, 40, wire="indexed"), n=40)
    assert kept.indices is not None
    assert kept.indices.tolist() == indices.tolist()


@pytest.mark.parametrize("wire", WIRES)
def test_a_full_support_sends_no_index(wire):
    values = np.arange(9, dtype=np.float32)
    message = encode(values, np.arange(9), 9, wire=wire)
    assert message == encode(values, None, 9)
    assert len(message) == HEADER + 9 * 4


def test_a_vector_of_nothing():
    message = encode(np.zeros(0, np.float32), None, 0)
    assert decode(message, n=0).to_dense().shape == (0,)


# Sizes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wire", WIRES)
@given(support=supports())
def test_size_is_the_length_of_the_message(wire, dtype, support):
    n, indices = support
    message = encode(np.ones(len(indices), np.float32), indices, n, wire=wire, dtype=dtype)
    assert size(indices, n, wire=wire, dtype=dtype) == len(message)


@pytest.mark.parametrize("dtype", DTYPES)
@given(support=supports())
def test_auto_and_indexed_are_the_shortest(dtype, support):
    n, indices = support
    sizes = {wire: size(indices, n, wire=wire, dtype=dtype) for wire in WIRES}
    assert sizes["auto"] == min(sizes[wire] for wire in ("dense", *INDEXED))
    assert sizes["indexed"] == min(sizes[wire] for wire in INDEXED)


@given(supports())
@example((120, np.array([68, 118])))  # a larger parameter is as short
def test_the_rice_parameter_is_the_smallest_that_is_shortest(support):
    n, indices = support
    k = len(indices)
    gaps = (np.diff(indices, prepend=-1) - 1).tolist()
    costs = [-(-k * p // 8) - (-(k + sum(gap >> p for gap in gaps)) // 8) for p in range(32)]
    if k < n:
        message = encode(np.ones(k, np.float32), indices, n, wire="rice")
        assert len(message) == HEADER + 4 * k + 1 + min(costs)
        assert message[HEADER + 4 * k] == costs.index(min(costs))


@pytest.mark.parametrize("support", [[0, 2**32 - 2], [2**32 - 2], [0, 1, 2, 3, 2**31]])
def test_gaps_of_the_longest_vector(support):
    indices = np.array(support)
    message = encode(np.ones(len(support), np.float32), indices, 2**32 - 1, wire="rice")
    assert decode(message, n=2**32 - 1).indices.tolist() == support
    assert len(message) < HEADER + 8 * len(support) + 16


# kB for n = 1.2 million, counted apart from this code.
PRICED = [("coo", "fp32"), ("bitmask", "fp32"), ("bitmask", "fp16"), ("rice", "fp16")]
COSTS = {
    1 / 4: [2400, 1350, 750, 723],
    1 / 16: [600, 450, 300, 201],
    1 / 64: [150, 225, 188, 55],
    1 / 256: [38, 169, 159, 15],
}


@pytest.mark.parametrize("density", COSTS)
def test_costs_of_a_random_support(density):
    indices, _ = random_vector(1_200_000, density)
    kB = [size(indices, 1_200_000, wire=w, dtype=dtype) / 1000 for w, dtype in PRICED]
    assert kB == pytest.approx(COSTS[density], rel=0.02)


@pytest.mark.parametrize("density", COSTS)
def test_rice_is_within_two_percent_of_the_entropy(density):
    n = 1_200_000
    indices, _ = random_vector(n, density)
    entropy = -density * math.log2(density) - (1 - density) * math.log2(1 - density)
    bound = n * entropy / 8 + 2 * len(indices)
    assert 0.999 * bound < size(indices, n, wire="rice", dtype="fp16") < 1.02 * bound


def test_value_bytes():
    assert (value_bytes(37_104), value_bytes(37_104, "fp16")) == (148_416, 74_208)


# Hostile bytes


def reads_or_refuses(message, n, support=None):
    """Either an answer of the right shape, or CodecError; never anything else."""
    try:
        out = decode(message, n=n, support=support)
    except CodecError:
        return
    assert out.to_dense().shape == (n,)
    if out.indices is not None:
        assert len(out.indices) == len(out.values)
        assert (np.diff(out.indices, prepend=-1, append=n) > 0).all()


def assert_refused_in_little_memory(message, n):
    tracemalloc.start()
    try:
        with pytest.raises(CodecError):
            decode(message, n=n)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wire", WIRES)
def test_every_truncation_and_every_extension_is_refused(wire, dtype):
    indices, values = random_vector(300, 1 / 8)
    message = encode(values, indices, 300, wire=wire, dtype=dtype)
    for end in range(len(message)):
        with pytest.raises(CodecError):
            decode(message[:end], n=300, support=indices)
    for tail in (b"\0", b"\1", b"\xff", message):
        with pytest.raises(CodecError):
            decode(message + tail, n=300, support=indices)


@pytest.mark.parametrize("dtype", ["fp16", "int8", "int4"])
@pytest.mark.parametrize("wire", WIRES)
def test_every_flipped_bit_is_read_or_refused(wire, dtype):
    indices, values = random_vector(200, 1 / 10)
    message = encode(values, indices, 200, wire=wire, dtype=dtype)
    for bit in range(8 * len(message)):
        flipped = bytearray(message)
        flipped[bit // 8] ^= 1 << bit % 8
        reads_or_refuses(bytes(flipped), 200, indices)


@given(
    kind=st.sampled_from([wire | dtype << 4 for wire in range(6) for dtype in range(5)]),
    n=st.integers(0, 60),
    k=st.integers(0, 60),
    body=st.binary(max_size=300),
)
def test_any_body_is_read_or_refused(kind, n, k, body):
    reads_or_refuses(header(kind, n, k) + body, n)


@given(st.data())
def test_any_index_is_read_or_refused(data):
    wire, k = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 8))
    n = data.draw(st.integers(k, 64))
    length = {1: -(-n // 8), 2: 4 * k, 3: data.draw(st.integers(0, 16))}[wire]
    index = data.draw(st.binary(min_size=length, max_size=length))
    reads_or_refuses(header(wire, n, k) + bytes(4 * k) + index, n)


@pytest.mark.parametrize(
    ("n", "message", "found"),
    [
        (8, b"", "shorter than a header"),
        (8, b"PK" + bytes(42), "starts with b'PK"),
        (8, b"FL\2" + bytes(41), "starts with b'FL"),
        (8, header(5, 8, 0), "unknown wire 0x05"),
        (8, header(0x40, 8, 0), "unknown wire 0x40"),
        (8, header(2, 9, 0), "length 9, not 8"),
        (8, header(2, 8, 9) + bytes(72), "9 values"),
        (8, header(0, 8, 7) + bytes(28), "7 values of 8"),
        (8, header(2, 8, 2) + struct.pack("<2f2I", 1, 1, 3, 3), "do not increase"),
        (8, header(2, 8, 2) + struct.pack("<2f2I", 1, 1, 3, 8), "pass 8"),
        (8, header(1, 8, 1) + bytes([0, 0, 0, 0, 3]), "2 indices for 1"),
        (4, header(1, 4, 0) + bytes([16]), "padding"),
        (8, header(3, 8, 1) + bytes([0, 0, 0, 0, 32]), "Rice parameter"),
        (8, header(3, 8, 1) + bytes([0, 0, 0, 0, 0, 0]), "0 gaps for 1"),
        (9, header(3, 9, 1) + bytes([0, 0, 0, 0, 0, 1, 0]), "1 bytes after"),
        (9, header(3, 9, 1) + bytes([0, 0, 0, 0, 3, 7, 2]), "pass 9"),
        (8, header(4, 8, 1) + bytes(4), "aligned"),
    ],
)
def test_a_refusal_says_what_was_found(n, message, found):
    with pytest.raises(CodecError, match=found):
        decode(message, n=n)


def test_an_aligned_message_needs_its_own_support():
    message = encode(np.ones(2, np.float32), np.array([1, 5]), 8, wire="aligned")
    assert len(message) == HEADER + 8
    with pytest.raises(CodecError, match="2 values for a support of 3"):
        decode(message, n=8, support=np.array([0, 1, 2]))


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("k", [0, 1, 2**31, 2**32 - 1])
def test_a_header_alone_allocates_nothing(kind, k):
    assert_refused_in_little_memory(header(kind, 2**32 - 1, k) + b"\x02\x40\x40", 2**32 - 1)


@pytest.mark.parametrize("kind", range(5))
def test_a_long_tail_is_not_unpacked(kind):
    assert_refused_in_little_memory(header(kind, 8, 0) + b"\0" * 1_000_000, 8)


# Callers


@pytest.mark.parametrize("names", [{"wire": "zip"}, {"dtype": "fp8"}])
def test_an_unknown_name_is_told_what_is_allowed(names):
    with pytest.raises(ValueError, match=r"allowed: .*(rice|fp16)"):
        encode(np.ones(1, np.float32), None, 1, **names)
    with pytest.raises(ValueError, match=r"allowed: .*(rice|fp16)"):
        size(None, 1, **names)


@pytest.mark.parametrize("indices", [[2, 1], [1, 1], [-1, 0], [0, 4]])
def test_a_support_out_of_order_is_our_own_fault(indices):
    with pytest.raises(AssertionError):
        encode(np.ones(2, np.float32), np.array(indices), 4)


def test_needs_no_torch():
    code = "import sys, flasc.codec; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_docs_are_true():
    path = Path(__file__).parents[3] / "docs/reference/wire_formats.md"
    failures, examples = doctest.testfile(str(path), module_relative=False)
    assert (failures, examples > 0) == (0, True)
