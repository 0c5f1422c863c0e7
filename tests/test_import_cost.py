"""What `import freeal` costs: a notebook's first line loads what is used, when it is used."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 3_000_000


def _fresh(code: str) -> object:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout)


def test_importing_freeal_loads_the_standard_library_alone():
    """No package that has to be installed, and of ours the front door and what must come before torch."""
    code = (
        "import sys, json; before = set(sys.modules); import freeal; new = set(sys.modules) - before;"
        "print(json.dumps(sorted(name for name in new if name.partition('.')[0] not in sys.stdlib_module_names)))"
    )
    assert ["freeal", "freeal.compute", "freeal.compute.cpu_threads"] == _fresh(code)


def test_importing_freeal_takes_little_memory():
    """All objects it makes come to less than three megabytes."""
    code = (
        "import tracemalloc, json; tracemalloc.start(); import freeal\n"
        "print(json.dumps(tracemalloc.get_traced_memory()[0]))"
    )
    assert 0 < _fresh(code) < MOST_BYTES


def test_the_names_of_the_library_are_listed_before_they_are_loaded():
    """Completion in a notebook finds them, and each is there when it is asked for."""
    code = (
        "import sys, json, freeal; listed = [n for n in dir(freeal) if n in freeal.__all__];"
        "loaded = [n for n in freeal.__all__ if 'freeal.notebook' in sys.modules];"
        "[getattr(freeal, n) for n in freeal.__all__];"
        "print(json.dumps([sorted(listed) == sorted(freeal.__all__), loaded]))"
    )
    assert [True, []] == _fresh(code)


def test_the_version_is_said_in_one_place():
    """pyproject.toml says it; `freeal.__version__` and both commands repeat it."""
    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert said == _fresh("import json, freeal; print(json.dumps(freeal.__version__))")
    for package in ("freeal", "daemon"):
        command = [sys.executable, "-m", package, "--version"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        assert said == done.stdout.split()[-1]


def test_a_spec_can_be_made_without_torch_and_a_model_loaded_without_a_language_model():
    """Each name loads what it needs and not what the others need."""
    code = (
        "import sys, json, freeal; freeal.Spec.from_dict({'description': 'x', 'labels': ['a', 'b']});"
        "first = [n for n in ('torch', 'transformers', 'pandas', 'sklearn', 'anthropic') if n in sys.modules];"
        "freeal.run, freeal.load;"
        "second = [n for n in ('torch', 'transformers', 'sklearn', 'anthropic') if n in sys.modules];"
        "print(json.dumps([first, second]))"
    )
    assert [[], []] == _fresh(code)
