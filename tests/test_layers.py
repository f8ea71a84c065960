"""Which package may import which, and what a fresh interpreter loads for a command."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What `emulator` may import of `flasc`, and from where (path prefixes). All but the last load no
# torch. The order of the packages themselves is held by import-linter: see pyproject.toml.
ALLOWED = {
    "flasc.data.table": ("emulator/scenario/data_template.py",),
    "flasc.common.errors": ("emulator/",),
    "flasc.common.messages": ("emulator/",),
    "flasc.common.plugins": ("emulator/",),
    "flasc.common.settings": ("emulator/",),
    "flasc.common.tagged_unions": ("emulator/",),
    "flasc.tasks.settings": ("emulator/scenario/",),
    "flasc.models.settings": ("emulator/scenario/",),
    "flasc.training.settings": (
        "emulator/simulation/",
        "emulator/scenario/",
        "emulator/runner/",
        "emulator/testbed/",
    ),
    "flasc.training.message_sizes": ("emulator/runner/",),
    "flasc.training.shared_models": ("emulator/runner/",),
    "flasc.assets.cache": ("emulator/runner/training_pace.py",),
    "flasc.assets.catalogue": ("emulator/cli/assets.py",),
    "flasc.models.resolve": ("emulator/cli/assets.py",),
    "flasc.models.inventory": ("emulator/cli/assets.py", "emulator/scenario/catalogue.py"),
    "flasc.training.trainer": ("emulator/runner/training_job.py",),
}


def loaded(code):
    """Modules that a fresh interpreter has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def commands(*each):
    """Code that runs one command after the other: a fresh interpreter takes seconds to start."""
    call = "\ntry: main({!r})\nexcept SystemExit as e: assert not e.code"
    return "from emulator.cli import main" + "".join(call.format(list(args)) for args in each)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run's folder, made without any training."""
    code = """
from pathlib import Path; import sys
from emulator.runner import inputs, metadata
from emulator.simulation.simulate import simulate
from emulator.results.ledger import Ledger
from emulator.simulation.records import Emulation
from emulator.simulation.trainer import StubTrainer
folder = Path(sys.argv[1])
changes = ["training.rounds=3", "training.target=null", "training.evaluation.every=1"]
s = inputs.read(Path("scenarios/slow_upload.yaml"), changes, ["LoRA", "head only"])
with Ledger.create(folder / "ledger.sqlite", metadata.describe(s).to_meta()) as ledger:
    for method in s.methods:
        for label, variant in s.variants.items():
            rows = simulate(variant, 0, StubTrainer(down_bytes=9000, up_bytes=900))
            ledger.write(Emulation(method, label, 0), rows)
"""
    folder = tmp_path_factory.mktemp("run")
    subprocess.run([sys.executable, "-c", code, folder], check=True, cwd=ROOT)
    return folder


def test_light_commands_load_no_torch():
    light = [
        ["check", "scenarios/slow_upload.yaml"],
        ["check", "recordings/figure3.json.gz"],
        ["export", "tc", "scenarios/slow_upload.yaml"],
        ["list"],
        ["assets"],
    ]
    heavy = {"torch", "transformers", "peft", "matplotlib", "scipy"}
    assert not heavy & loaded(commands(*light))


def test_help_loads_next_to_nothing():
    modules = loaded(commands(["--help"], ["run", "--help"], ["search", "--help"]))
    assert not {"numpy", "pydantic", "simpy", "yaml", "rich", "sqlite3"} & modules


def test_a_packed_recording_is_searched_without_torch(tmp_path):
    start = ["--method", "FLASC 1/4 down, 1/4 up", "--variant", "16x slower"]
    seed = ["--set", "training.seeds=[0]", "--out", str(tmp_path)]
    modules = loaded(commands(["search", "recordings/figure3.json.gz", *start, *seed]))
    assert "simpy" in modules
    assert not {"torch", "transformers", "peft"} & modules


def test_a_message_log_is_timed_without_torch(tmp_path):
    header = {"flasc_emu_message_log": 1, "run": "r", "method": "m"}
    visit = {"kind": "visit", "round": 1, "client": 7, "bytes_down": 9, "bytes_up": 9}
    log = tmp_path / "log.jsonl"
    log.write_text(f"{json.dumps(header)}\n{json.dumps(visit)}\n")
    network = ["--network", "scenarios/networks/leo.yaml"]
    run = ["run", str(log), *network, "--out", str(tmp_path / "out")]
    modules = loaded(commands(["check", str(log)], run))
    assert "simpy" in modules
    assert not {"torch", "transformers", "peft"} & modules


BLOCKED = """
import socket, sys
from importlib.abc import MetaPathFinder

class Blocker(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in ("torch", "transformers", "peft"):
            sys.exit(f"{name} is blocked")  # nor may it be tried

def refuse(*_, **__):
    raise OSError("the network is blocked")

sys.meta_path.insert(0, Blocker())
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
"""


def test_the_folder_of_a_replay_is_replayed_without_torch_and_network(tmp_path):
    file = tmp_path / "copy.json.gz"
    file.write_bytes((ROOT / "recordings/figure3.json.gz").read_bytes())
    first = ["--method", "head only", "--set", "training.seeds=[0]", "--out", f"{tmp_path}/first"]
    assert "simpy" in loaded(BLOCKED + commands(["run", str(file), *first]))
    file.unlink()
    (tmp_path / "first").rename(tmp_path / "moved")
    network = ["--network", "scenarios/networks/leo.yaml", "--out", f"{tmp_path}/second"]
    loaded(BLOCKED + commands(["run", f"{tmp_path}/moved", *network]))
    rows = [json.loads((tmp_path / f"{name}/results.json").read_text())[0] for name in
            ("moved", "second")]  # fmt: skip
    assert rows[0]["final_accuracy"] == rows[1]["final_accuracy"]
    assert rows[1]["variant"] == "leo"
    code = f"from emulator import Scenario, run; run(Scenario.read('{tmp_path}/second', "
    code += f"changes={{'network.clients.rtt': '1 s'}}), out='{tmp_path}/third', train=False)"
    assert "torch" not in loaded(BLOCKED + code)


def test_a_replay_loads_what_its_results_need(tmp_path):
    """Two methods and three seeds, so that a difference is tested and a figure is drawn."""
    only = [o for method in ("LoRA", "head only") for o in ("--method", method)]
    network = ["--network", "scenarios/networks/leo.yaml", "--out", str(tmp_path)]
    modules = loaded(commands(["run", "recordings/figure3.json.gz", *only, *network]))
    assert {"matplotlib.figure", "scipy.special"} <= modules
    unused = {"scipy.stats", "scipy.optimize", "pandas", "matplotlib.pyplot", "plotly.graph_objs"}
    assert not unused & modules
    assert not {"torch", "transformers", "peft"} & modules


def test_report_loads_no_torch(run_folder):
    forms = ["table", "json", "csv", "files"]
    modules = loaded(commands(*(["report", str(run_folder), "--format", form] for form in forms)))
    assert not {"torch", "transformers", "peft", "scipy"} & modules


def test_exports_load_no_torch(run_folder):
    kinds = [["figures"], ["tables"], ["perfetto", "--method", "LoRA"]]
    modules = loaded(commands(*(["export", *kind, str(run_folder)] for kind in kinds)))
    assert not {"torch", "transformers", "peft"} & modules


def test_explore_loads_no_torch():
    """Nor do its workers, which have the same modules and the recordings."""
    modules = loaded("import emulator.explore.server")
    assert "starlette" in modules
    assert not {"torch", "transformers", "peft", "matplotlib"} & modules


def is_module(name):
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or path.is_dir()


def imports(path):
    """(module, whether at the top level) of each import in a file."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        top = node in tree.body
        if isinstance(node, ast.Import):
            yield from ((alias.name, top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((name if is_module(name) else node.module, top) for name in full)


def test_flasc_knows_no_clock():
    for path in (ROOT / "flasc").rglob("*.py"):
        assert not {"simpy", "emulator"} & {module.split(".")[0] for module, _ in imports(path)}, (
            path
        )


def test_the_emulator_imports_of_flasc_what_the_table_allows():
    for path in (ROOT / "emulator").rglob("*.py"):
        where = path.relative_to(ROOT).as_posix()
        for module, top in imports(path):
            if module.split(".")[0] != "flasc":
                continue
            assert where.startswith(ALLOWED.get(module, ())), f"{where} imports {module}"
            assert not (top and module == "flasc.training.trainer"), f"{where}: not at the top"


def test_the_trainer_is_imported_in_one_function():
    tree = ast.parse((ROOT / "emulator/runner/training_job.py").read_text("utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    found = [
        function.name
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom)
        and (node.module, node.names[0].name) == ("flasc.training", "trainer")
    ]
    assert len(found) == 1


def test_simpy_stays_where_time_passes():
    allowed = (
        "emulator/simulation/rounds/",
        "emulator/simulation/policies/",
        "emulator/simulation/compiled/synchronous.py",
        "emulator/simulation/compiled/tasks.py",
        "emulator/simulation/simulate.py",
        "emulator/network/network.py",
        "emulator/testbed/simulate.py",
    )
    for path in (ROOT / "emulator").rglob("*.py"):
        where = path.relative_to(ROOT).as_posix()
        if not where.startswith(allowed):
            assert "simpy" not in {module for module, _ in imports(path)}, where


def test_the_packages_are_those_of_the_layout():
    """A file at the top of a package tree says what the tree is, and nothing else stands there."""

    def inside(name):
        folders = {p.relative_to(ROOT / name).parts[0] for p in (ROOT / name).rglob("*.py")}
        return folders | {p.name for p in (ROOT / name).iterdir() if p.is_file()}

    own = {"__init__.py", "py.typed"}
    assert inside("emulator") == own | {
        "__main__.py", "api.py", "cli", "common", "explore", "integrations", "network", "reports",
        "results", "runner", "scenario", "simulation", "testbed",
    }  # fmt: skip
    assert inside("flasc") == own | {
        "assets", "codec", "common", "data", "methods", "models", "tasks", "training",
    }  # fmt: skip


def test_no_file_is_too_long():
    for package in ("emulator", "flasc"):
        for path in (ROOT / package).rglob("*.py"):
            lines = len(path.read_text("utf-8").splitlines())
            assert lines <= 360, f"{path.relative_to(ROOT)}: {lines} lines"


# Between our own processes, through pipes of their own.
PICKLED = {"emulator/runner/executors/work_sharing.py"}


def test_nothing_untrusted_is_unpickled():
    for folder in ("emulator", "flasc"):
        for path in (ROOT / folder).rglob("*.py"):
            found = {"pickle", "marshal", "shelve", "dill"} & {m for m, _ in imports(path)}
            assert not found or path.relative_to(ROOT).as_posix() in PICKLED, path
            assert "torch.load(" not in path.read_text("utf-8")
