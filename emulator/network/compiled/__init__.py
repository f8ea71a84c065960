"""The network of `emulator.network.network`, compiled by numba: whole client tasks, no SimPy.

`Network` and its flow engine are the reference. The two agree within 1e-9 of each time:
`tests/stress/engines.py`. numba is imported by `jit` alone, and that by what is compiled.
"""

from importlib.util import find_spec

AVAILABLE = find_spec("numba") is not None
