import pytest

pytest.importorskip("numba")  # a Python that numba does not support yet has the reference alone
