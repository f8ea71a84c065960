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


def test_what_is_compiled_is_told_of_once_and_what_is_at_hand_is_not():
    told, compiled = [], numba.njit(double)
    for _ in range(2):
        with jit.telling(lambda: told.append(1)):
            assert compiled(21) == 42
            assert compiled(1.5) == 3
    assert told == [1]
    with jit.telling(lambda: told.append(2)):
        numba.njit(double)(1)
    assert told == [1, 2]
