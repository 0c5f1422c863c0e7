"""What the prose promises exists, and what exists stands in the prose."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from freeal import errors
from freeal.cli import main
from freeal.outputs import ANNOTATED_COLUMNS
from freeal.spec import Spec
from freeal.types import Status

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROSE = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("*/README.md"))]


def _all_errors():
    return [name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)]


@pytest.mark.parametrize(
    "name", [*Spec.model_fields, *ANNOTATED_COLUMNS, *(status.value for status in Status), *_all_errors()]
)
def test_the_readme_names_every_key_column_status_and_error(name):
    """A user who meets a name in a file or a message finds it in the README."""
    assert f"`{name}`" in README


@pytest.mark.parametrize("command", ["train", "predict", "show"])
def test_the_readme_names_every_flag_of_the_library_commands(command, capsys):
    """Each long option that `-h` prints stands in the README."""
    with pytest.raises(SystemExit):
        main([command, "-h"])
    flags = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert set() == {flag for flag in flags if flag not in README}
    assert f"freeal {command}" in README


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_resolve(path):
    """No document points at a file that is not there."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [] == [link for link in links if not (path.parent / link).exists()]


@pytest.mark.parametrize("target", ["setup", "demo", "test", "test-all", "lint", "clean"])
def test_make_targets_that_the_prose_names_exist(target):
    """Every `make` command of README and CONTRIBUTING is a target."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = set(re.findall(r"make ([a-z-]+)", README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert target in named
