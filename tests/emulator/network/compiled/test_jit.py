import pytest

from emulator.network.compiled import jit

numba = pytest.importorskip("numba")


def double(x: int) -> int:
    return 2 * x


def test_a_function_that_cannot_be_kept_on_disk_is_compiled_all_the_same(monkeypatch):
    compiling, asked = numba.njit, []

    def njit(**options):
        asked.append(options.pop("cache", False))
        if asked[-1]:
            raise RuntimeError("cannot cache function 'double': no locator available")
        return compiling(**options)

    with monkeypatch.context() as patch:
        patch.setattr(numba, "njit", njit)
        compiled = jit.entry(double)
    assert compiled(21) == 42
    assert asked == [True, False]
