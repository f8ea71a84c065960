import pytest

from emulator.runner import defaults, inputs
from emulator.runner.defaults import bf16_unit

CPUINFO = """processor\t: 0
flags\t\t: fpu avx2 {unit} sha_ni
bugs\t\t: none

processor\t: 1
flags\t\t: fpu
"""


@pytest.mark.parametrize("unit", ["", *defaults.BF16_FLAGS])
def test_the_processor_is_asked_for_its_bf16_unit(unit, tmp_path):
    cpu, gpu = tmp_path / "cpuinfo", tmp_path / "nvidia0"
    assert bf16_unit(cpu, gpu) == ""  # not Linux
    cpu.write_text(CPUINFO.format(unit=unit), "utf-8")
    assert bf16_unit(cpu, gpu) == unit
    gpu.touch()
    assert bf16_unit(cpu, gpu) == ""


@pytest.mark.parametrize(
    ("keys", "offered"),
    [
        ("", True),
        ("precision: fp32", False),
        ("precision: bf16", False),
        ("engine: reference", False),
        ("client: {base_dropout: true}", False),
    ],
)
def test_bf16_is_offered_where_it_would_be_faster(keys, offered, scenario, tmp_path, monkeypatch):
    path = scenario()
    path.write_text(path.read_text().replace("  rounds: 4", f"  rounds: 4\n  {keys}"))
    study = inputs.read(path)

    def told(unit):
        monkeypatch.setattr(defaults, "bf16_unit", lambda: unit)
        return [line for line in defaults.remarks(study, tmp_path) if "bf16" in line]

    assert len(told("avx512_bf16")) == offered
    assert not told("")
