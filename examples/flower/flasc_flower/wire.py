"""A vector as the one array of an ArrayRecord: all its values, or the bytes of a sparse message."""

import numpy as np
from flwr.app import ArrayRecord

from flasc.codec import decode, encode
from flasc_flower.task import SIZE, Vector


def dense(vector: Vector) -> ArrayRecord:
    """All values, in one array."""
    return ArrayRecord([vector])


def sparse(vector: Vector, density: float) -> ArrayRecord:
    """The largest values by magnitude as encoded bytes, in one array of bytes."""
    kept = min(round(density * SIZE), int(np.count_nonzero(vector)))
    ascending = np.argsort(np.abs(vector), kind="stable")
    places = np.sort(ascending[SIZE - kept :])
    message = encode(vector[places], places, SIZE)
    return ArrayRecord([np.frombuffer(message, np.uint8)])


def vector_in(record: ArrayRecord) -> Vector:
    """The vector that a record holds, dense or sparse."""
    (array,) = record.to_numpy_ndarrays()
    return decode(array.tobytes(), n=SIZE).to_dense() if array.dtype == np.uint8 else array
