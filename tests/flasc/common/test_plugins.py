"""Methods from other packages: the example is installed for real, and mistakes are met."""

from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import get_args

import pytest
import torch

from flasc.common import plugins
from flasc.common.errors import PluginError
from flasc.common.settings import Wire
from flasc.methods import METHODS, MethodSettings
from flasc.models.settings import Lora
from flasc.tasks.settings import TaskSettings
from flasc.tasks.twenty_newsgroups import Newsgroups
from flasc.training import settings as config
from flasc.training.trainer import Trainer

pytestmark = pytest.mark.xdist_group("installed packages")
ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/rotating"


@pytest.fixture
def flasc_emu(installed, beside):
    return lambda *args: beside(installed, "-m", "emulator", *args)


def test_an_installed_method_is_one_of_ours(flasc_emu, tmp_path):
    listed = flasc_emu("list", "methods").stdout
    assert "  rotating             Dense training; " in listed
    assert "[flasc-rotating 0.1.0]" in listed
    checked = flasc_emu("check", "examples/rotating/rotating.yaml")
    assert checked.returncode == 0, checked.stderr
    assert "4 trainings (4 methods" in checked.stdout
    assert "Rotating, 1/16 up        not known until it is trained" in checked.stdout
    assert '"rotating"' in flasc_emu("schema").stdout
    (tmp_path / "x.yaml").write_text(
        f"extends: {EXAMPLE}/rotating.yaml\nmethods:\n  R: {{kind: rotating, prts: 2}}\n"
    )
    wrong = flasc_emu("check", str(tmp_path / "x.yaml")).stderr
    assert "x.yaml:3: methods.R.prts: unknown key; did you mean 'parts'?" in wrong
    wrong = flasc_emu("check", str(tmp_path / "x.yaml"), "--set", "methods.R.kind=rotate")
    assert "did you mean 'rotating'? allowed: full, head" in wrong.stderr


def test_it_trains(installed, task, monkeypatch):
    monkeypatch.syspath_prepend(installed)
    from flasc_rotating.method import Rotating

    settings = config.TrainingSettings.model_construct(
        seed=0, task=Newsgroups(name="20newsgroups", clients=len(task.clients)),
        lora=Lora(rank=4), client=config.Client(), server=config.AdamW(),
        wire=Wire(format="coo"), method=Rotating(kind="rotating", parts=4),
        evaluation_examples=None,
    )  # fmt: skip
    trainer = Trainer(settings, task, torch.device("cpu"))
    n = trainer.download(0).nbytes // 4 - 3  # a dense message: 12 bytes, then four an entry
    for number in range(2):
        uploads = trainer.train([trainer.download(client) for client in (0, 1)])
        assert {upload.nbytes for upload in uploads} == {12 + 8 * len(range(number, n, 4))}
        trainer.aggregate(uploads, [0.5, 0.5])
    assert trainer.version == 2


def test_a_recording_says_whose_code_it_was_made_with(installed, monkeypatch):
    monkeypatch.syspath_prepend(installed)
    from flasc_rotating.method import Rotating

    assert plugins.origin(Rotating) == ("flasc-rotating", "0.1.0")
    assert plugins.origin(Newsgroups) is None


HEAD = "from typing import ClassVar, Literal\nfrom flasc.methods.base import MethodSettings\n"
MISTAKES = {
    "class_is_missing": ("x = 1", "found 1; allowed: a subclass of MethodSettings"),
    "import_fails": ("import no_such_package", "ModuleNotFoundError: No module named"),
    "syntax_fails": ("x = (", "cannot be imported: SyntaxError"),
    "module_fails": ("x = 1 / 0", "cannot be imported: ZeroDivisionError"),
    "nothing_is_there": ("", "cannot be imported: AttributeError"),
    "kind_differs": ("kind: Literal['other']", "found kind 'other'"),
    "no_implementation": ("kind: Literal['NAME']", "found no build and no implementation"),
    "lora": ("kind: Literal['lora']\n    implementation: ClassVar[str] = 'a:b'", "is in use"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_package_that_is_wrong_is_named(package, name):
    body, says = MISTAKES[name]
    inside = body.replace("NAME", name)
    text = inside if "kind" not in inside else f"class x(MethodSettings):\n    {inside}"
    package(f"bad_{name}", HEAD + text, {"flasc_emu.methods": f"{name} = bad_{name}:x"})
    with pytest.raises(PluginError, match=f"plug-in {name}") as error:
        plugins.members(METHODS, MethodSettings)
    assert says in error.value.message
    assert error.value.hint == f"fix or uninstall bad_{name}"


def test_of_two_packages_with_one_name_the_second_is_refused(package):
    body = "class x(MethodSettings):\n    kind: Literal['twin']\n    implementation = 'a:b'\n"
    for name in ("first", "second"):
        package(name, HEAD + body, {"flasc_emu.methods": f"twin = {name}:x"})
    with pytest.raises(PluginError, match="found a kind that is in use"):
        plugins.members(METHODS, MethodSettings)


def test_settings_that_import_torch_are_refused(package, beside):
    body = "import torch\n\n\nclass x(MethodSettings):\n    kind: Literal['x']\n"
    text = f"{HEAD}{body}    implementation = 'a:b'\n"
    folder = package("heavy", text, {"flasc_emu.methods": "x = heavy:x"})
    done = beside(folder, "-c", "import flasc.training.settings")
    assert "plug-in x (heavy:x): its settings import torch" in done.stderr


def test_an_implementation_that_is_not_there_is_named(package):
    body = "class x(MethodSettings):\n    kind: Literal['x']\n    implementation = 'hollow:Y'\n"
    package("hollow", HEAD + body, {"flasc_emu.methods": "x = hollow:x"})
    import hollow

    with pytest.raises(PluginError, match=r"plug-in x \(hollow:Y\): cannot be imported"):
        plugins.implementation(hollow.x(kind="x"))


def test_without_packages_the_union_stays(monkeypatch):
    monkeypatch.setattr(plugins, "_installed", lambda _: EntryPoints())
    same = plugins.members(METHODS, MethodSettings)
    assert [get_args(member)[0] for member in get_args(same)] == METHODS


def test_the_files_of_packages_are_read_once_for_all_groups(monkeypatch, tmp_path):
    read = []
    monkeypatch.setattr(plugins, "entry_points", lambda **_: read.append(1) or entry_points(**_))
    monkeypatch.syspath_prepend(tmp_path)  # another path: nothing is known of its packages
    for base in (MethodSettings, TaskSettings):
        plugins.origin(base)
    assert len(read) == 1
