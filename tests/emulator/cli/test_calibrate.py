"""`calibrate`: its output is part of a scenario, and what it refuses is one message."""

import json

import pytest
import yaml
from click.testing import CliRunner

from emulator.cli import main

HEADER = {"flasc_emu_message_log": 1, "run": "r", "method": "FedAvg"}


@pytest.fixture
def log(tmp_path):
    """Writes a log of two rounds of two clients; gives its path."""

    def write(**fields):
        visits = (
            {"kind": "visit", "round": n, "client": c, "bytes_down": 9, "bytes_up": 9, **fields}
            | ({"seconds": c * fields["examples"] / 100} if "examples" in fields else {})
            for n in (1, 2)
            for c in (1, 2)
        )
        path = tmp_path / "log.jsonl"
        path.write_text("".join(f"{json.dumps(each)}\n" for each in [HEADER, *visits]))
        return path

    return write


def invoke(*args):
    done = CliRunner().invoke(main, list(map(str, args)))
    assert done.exception is None or isinstance(done.exception, SystemExit), done
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("form", "per_example"),
    [
        ("law", {"kind": "lognormal", "median": "14.1421 ms", "sigma": 0.490129}),
        ("table", {"kind": "empirical", "values": ["10 ms", "20 ms"]}),
    ],
)
def test_its_output_passes_check_in_a_scenario(log, scenario, tmp_path, form, per_example):
    code, out, err = invoke("calibrate", log(examples=50), "--to", form)
    assert (code, err) == (0, "")
    assert yaml.safe_load(out) == {"compute": {"per_example": per_example}}
    assert out.count("# residual of the ") == 2
    file = tmp_path / "compute.yaml"
    code, said, _ = invoke("calibrate", log(examples=50), "--to", form, "--out", file)
    assert file.read_text() == out
    assert code == 0
    assert said == "".join(f"{line[2:]}\n" for line in out.splitlines() if line[0] == "#") + (
        f"{file}\n"
    )
    scenario()
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: [toy.yaml, compute.yaml]\nname: mine\n")
    code, out, _ = invoke("check", mine)
    assert code == 0
    assert out.startswith("mine: fine\n")


def test_a_log_without_examples_is_refused(log):
    path = log(seconds=2)
    code, out, err = invoke("calibrate", path)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {path}: found seconds in 4 and examples in 0 of 4 answered")
    assert "\nhint: " in err


def test_a_file_that_is_no_log_is_refused(scenario):
    code, _, err = invoke("calibrate", scenario())
    assert code == 2
    assert err.startswith("error: ")
