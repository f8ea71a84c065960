"""Methods from other packages: the example is installed for real, and mistakes are met."""

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch

from flasc import config, plugins
from flasc.errors import PluginError
from flasc.task_settings import Newsgroups
from flasc.trainer import Trainer

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples/rotating"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that the example package was installed into."""
    target = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "rotating"
    subprocess.run(["cp", "-r", EXAMPLE, source], check=True)  # pip builds in place
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    options = ["--no-index", "--disable-pip-version-check", "--root-user-action=ignore"]
    done = subprocess.run(
        [*pip, *options, "--target", target, source], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target


def flasc_emu(installed, *args):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)])}
    return subprocess.run(
        [sys.executable, "-m", "emulator", *args],
        capture_output=True, text=True, check=False, cwd=ROOT, env=environment,
    )  # fmt: skip


def test_an_installed_method_is_one_of_ours(installed, tmp_path):
    assert "  rotating " in flasc_emu(installed, "list", "methods").stdout
    checked = flasc_emu(installed, "check", "examples/rotating/rotating.yaml")
    assert checked.returncode == 0, checked.stderr
    assert "4 trainings (4 methods" in checked.stdout
    assert "Rotating, 1/16 up        not known until it is trained" in checked.stdout
    assert '"rotating"' in flasc_emu(installed, "schema").stdout
    (tmp_path / "x.yaml").write_text(
        f"extends: {EXAMPLE}/rotating.yaml\nmethods:\n  R: {{kind: rotating, prts: 2}}\n"
    )
    wrong = flasc_emu(installed, "check", str(tmp_path / "x.yaml")).stderr
    assert "x.yaml:3: methods.R.prts: unknown key; did you mean 'parts'?" in wrong
    wrong = flasc_emu(
        installed, "check", str(tmp_path / "x.yaml"), "--set", "methods.R.kind=rotate"
    )
    assert "did you mean 'rotating'? allowed: full, head" in wrong.stderr


def test_it_trains(installed, task, monkeypatch):
    monkeypatch.syspath_prepend(installed)
    from flasc_rotating.settings import Rotating

    settings = config.TrainingSettings.model_construct(
        seed=0, task=Newsgroups(name="20newsgroups", clients=len(task.clients)),
        lora=config.Lora(rank=4), client=config.Client(), server=config.AdamW(),
        wire=config.Wire(format="coo"), method=Rotating(kind="rotating", parts=4),
        evaluation_examples=None,
    )  # fmt: skip
    trainer = Trainer(settings, task, torch.device("cpu"))
    n = trainer.download(0).nbytes // 4 - 3  # a dense message: 12 bytes, then four an entry
    for number in range(2):
        uploads = trainer.train([trainer.download(client) for client in (0, 1)])
        assert {upload.nbytes for upload in uploads} == {12 + 8 * len(range(number, n, 4))}
        trainer.aggregate(uploads, [0.5, 0.5])
    assert trainer.version == 2


MISTAKES = {
    "class_is_missing": ("x = 1", "found 1; allowed: a subclass of MethodSettings"),
    "import_fails": ("import no_such_package", "cannot be imported: No module named"),
    "kind_differs": ("kind: Literal['other']", "found kind 'other'"),
    "no_implementation": ("kind: Literal['NAME']", "found no implementation"),
    "lora": ("kind: Literal['lora']\n    implementation: ClassVar[str] = 'a:b'", "is already"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_package_that_is_wrong_is_named(tmp_path, monkeypatch, name):
    body, says = MISTAKES[name]
    head = (
        "from typing import ClassVar, Literal\nfrom flasc.method_settings import MethodSettings\n"
    )
    inside = body.replace("NAME", name)
    text = inside if "kind" not in inside else f"class x(MethodSettings):\n    {inside}"
    (tmp_path / f"bad_{name}.py").write_text(f"{head}\n\n{text}\n")
    info = tmp_path / f"bad_{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bad-{name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{plugins.METHODS}]\n{name} = bad_{name}:x\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match=f"plug-in {name}") as error:
        plugins.extended(config.Method, config.MethodSettings)
    assert says in error.value.message


def test_without_packages_the_union_stays(monkeypatch):
    monkeypatch.setattr(plugins, "entry_points", lambda **_: ())
    same = plugins.extended(config.Method, config.MethodSettings)
    assert get_args(get_args(same)[0]) == get_args(get_args(config.Method)[0])
