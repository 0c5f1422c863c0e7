"""The rules of the layout, checked on the source: who may import whom, and what a fresh import may cost."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "pandas", "sklearn", "anthropic", "numpy")
MOST_MODULES_IN_A_FOLDER = 16
MOST_LINES_OF_A_MODULE = 300
ROOTS = {
    "freeal": {"__init__", "__main__", "errors", "types", "setting_values", "events", "settings"},
    "daemon": {"__init__", "__main__", "app", "config", "errors"},
}
"""What stands beside the rooms: leaves and the front door."""
LEAVES = ("freeal.errors", "freeal.types", "freeal.setting_values", "freeal.events", "freeal.settings")
MAY_USE_TORCH_OR_SKLEARN = (
    "freeal.student",
    "freeal.selection",
    "freeal.compute",
    "freeal.llm.local",
    "freeal.evaluation",
    "freeal.export.onnx_model",
    "freeal.scikit_learn",
    "freeal.testing",
)
"""freeal.evaluation.metrics takes precision, recall and F1 from scikit-learn rather than counting them itself."""


def _modules() -> dict[str, tuple[Path, ast.Module]]:
    found = {}
    for package in ("freeal", "daemon"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = (path, ast.parse(path.read_text(encoding="utf-8")))
    return found


MODULES = _modules()


def _imports(name: str, nodes: list[ast.AST]) -> set[str]:
    """Full names of what these nodes import; `from freeal import x` counts as freeal.x when that is a module."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in MODULES else str(node.module))
    return found


@functools.cache
def _all_imports(name: str) -> set[str]:
    return _imports(name, list(ast.walk(MODULES[name][1])))


def _imports_of(package: str, wanted: tuple[str, ...]) -> dict[str, set[str]]:
    """Module of the package -> what it imports from the wanted packages; modules that import none are left out."""
    found = {
        name: {target for target in _all_imports(name) if target.split(".")[0] in wanted}
        for name in MODULES
        if name.split(".")[0] == package
    }
    return {name: targets for name, targets in found.items() if targets}


def test_the_library_never_imports_the_daemon():
    """freeal/ knows nothing of the service around it."""
    assert {} == _imports_of("freeal", ("daemon",))


def test_there_is_no_import_cycle_of_any_kind():
    """Following every import, lazy and typing ones included, never leads back."""
    edges = {
        name: {target for target in _all_imports(name) if target in MODULES and target != name} for name in MODULES
    }
    packages = {name for name, (path, _) in MODULES.items() if path.name == "__init__.py"}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' -> '.join((*trail, name))}"
        if name in done:
            return
        for target in edges[name] - packages:
            visit(target, (*trail, name))
        done.add(name)

    for name in MODULES:
        visit(name, ())


def _room(name: str) -> str:
    return "/".join(name.split(".")[:2])


ORDER = re.findall(
    r"^\| `((?:freeal|daemon)/\w+)` \|", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), re.MULTILINE
)
"""The rooms as docs/architecture.md lists them: each may import those before it."""


@pytest.mark.parametrize("package", sorted(ROOTS))
def test_the_picture_shows_every_room_once(package):
    """docs/architecture.md lists exactly the folders there are; beside them stand leaves and the front door alone."""
    folders = {f"{package}/{path.parent.name}" for path in (ROOT / package).glob("*/__init__.py")}
    listed = [room for room in ORDER if room.startswith(f"{package}/")]
    assert sorted(folders) == sorted(listed)
    assert ROOTS[package] == {path.stem for path in (ROOT / package).glob("*.py")}


def test_a_room_imports_only_rooms_above_it():
    """No arrow between rooms runs back: the order of the tables in docs/architecture.md is kept by every import."""
    places = {room: place for place, room in enumerate(ORDER)}
    backwards = [
        (name, target)
        for name in MODULES
        if _room(name) in places
        for target in sorted(_all_imports(name))
        if places.get(_room(target), -1) > places[_room(name)]
    ]
    assert [] == backwards


def test_no_folder_holds_more_than_a_reader_takes_in():
    """At most sixteen modules side by side, the packages' own files not counted; benchmarks have rooms as well."""
    counts = Counter(path.parent for path, _ in MODULES.values() if path.name not in {"__init__.py", "__main__.py"})
    counts.update(path.parent for path in (ROOT / "tests" / "benchmarks").rglob("*.py"))
    assert {} == {folder: count for folder, count in counts.items() if count > MOST_MODULES_IN_A_FOLDER}


@pytest.mark.parametrize("name", LEAVES)
def test_leaves_import_nothing_of_ours_but_leaves_before_them(name):
    """Errors and plain data can be used from anywhere without dragging anything along."""
    ours = {target for target in _all_imports(name) if target.split(".")[0] in ("freeal", "daemon")}
    assert set() == ours - set(LEAVES[: LEAVES.index(name)])


def test_only_the_model_parts_import_torch_or_scikit_learn():
    """torch and scikit-learn stay where models are trained, selected from and scored."""
    users = _imports_of("freeal", ("torch", "sklearn")) | _imports_of("daemon", ("torch", "sklearn"))
    assert {} == {name: used for name, used in users.items() if not name.startswith(MAY_USE_TORCH_OR_SKLEARN)}


def test_the_loop_depends_on_no_implementation():
    """The loop can be read, and run, without any particular language model or student."""
    implementations = {
        "freeal.job.open_chat_model",
        "freeal.llm.local.local_model",
        "freeal.llm.providers.anthropic",
        "freeal.llm.providers.openai",
    }
    students = {name for name in MODULES if name.startswith("freeal.student.") and name != "freeal.student.protocols"}
    assert set() == _all_imports("freeal.loop.freeal_loop") & (implementations | students)


def test_the_daemon_process_imports_no_heavy_package():
    """Only the child processes' entry points may load what is heavy."""
    assert {} == {name: used for name, used in _imports_of("daemon", HEAVY).items() if ".processes." not in name}


@pytest.mark.parametrize("module", ["freeal", "freeal.cli.command_line", "daemon.cli.command_line", "daemon.cli"])
def test_importing_an_entry_point_loads_nothing_heavy(module):
    """A fresh interpreter that imports an entry point has loaded neither torch nor pandas nor an LLM client."""
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_modules_stay_small_and_say_what_they_are():
    """A module has a docstring and fits in one reader's mind."""
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, (path, _) in MODULES.items()}
    assert {} == {name: count for name, count in lines.items() if count > MOST_LINES_OF_A_MODULE}
    assert [] == [name for name, (_, tree) in MODULES.items() if lines[name] > 1 and not ast.get_docstring(tree)]
