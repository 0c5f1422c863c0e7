"""What the prose promises exists, and what exists stands in the prose."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

import daemon.cli.command_line
import daemon.config
import daemon.errors
import freeal
import freeal.cli.command_line
from freeal import errors
from freeal.results.output_tables import ANNOTATED_COLUMNS
from freeal.spec import job_spec
from freeal.types import Status

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MANUAL = README + "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROSE = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("inbox", "models", "systemd")),
]
SETTINGS = {key for key, _ in daemon.config.flatten(daemon.config.Settings())}
SECTIONS = {key.partition(".")[0] for key in SETTINGS}


def _all_errors():
    return [
        name
        for module in (errors, daemon.errors)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Exception)
    ]


def _blocks(language):
    """Every fenced block of a language, as (where it stands, its text)."""
    found = []
    for path in PROSE:
        for number, text in enumerate(
            re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
        ):
            found.append(pytest.param(text, id=f"{path.relative_to(ROOT)}-{number}"))
    return found


@pytest.mark.parametrize(
    "name", [*job_spec.Spec.model_fields, *ANNOTATED_COLUMNS, *(status.value for status in Status), *_all_errors()]
)
def test_the_manual_names_every_key_column_status_and_error(name):
    """A user who meets a name in a file or a message finds it in the README or the pages it leads to."""
    assert f"`{name}`" in MANUAL


@pytest.mark.parametrize("command", ["train", "predict", "correct", "show", "certify", "boundaries"])
def test_the_manual_names_every_flag_of_the_library_commands(command, capsys):
    """Each long option that `-h` prints stands in the manual."""
    assert set() == {flag for flag in _flags(freeal.cli.command_line.main, capsys, command) if flag not in MANUAL}


def test_the_readme_names_every_command_and_flag_of_the_service(capsys):
    """Each command and long option that `python -m daemon -h` prints stands in the README's table."""
    help_text = _help(daemon.cli.command_line.main, capsys)
    commands = re.findall(r"^ {4}([a-z]+) {2,}", help_text, re.MULTILINE)
    assert {"status", "check"} < set(commands)
    assert [] == [command for command in commands if f"`python -m daemon {command}" not in README]
    flags = {
        flag
        for command in ([], *([name] for name in commands))
        for flag in _flags(daemon.cli.command_line.main, capsys, *command)
    }
    assert set() == {flag for flag in flags if flag not in MANUAL}


def test_the_readme_names_no_command_that_is_not_there(capsys):
    """Each `python -m daemon|freeal COMMAND` of the prose is one that `-h` prints."""
    text = "".join(path.read_text(encoding="utf-8") for path in PROSE)
    for package, main in (("daemon", daemon.cli.command_line.main), ("freeal", freeal.cli.command_line.main)):
        known = re.findall(r"^ {4}([a-z]+)(?: {2,}|$)", _help(main, capsys), re.MULTILINE)
        assert set() == set(re.findall(rf"python -m {package} ([a-z]+)", text)) - set(known)


def test_every_setting_stands_in_freeal_yaml_and_in_the_manual():
    """The manual's table of settings, freeal.yaml and the code name the same sections and keys."""
    document = yaml.safe_load((ROOT / "freeal.yaml").read_text(encoding="utf-8"))
    in_file = {
        f"{section}.{key}" if key else section
        for section, content in document.items()
        for key in (content if isinstance(content, dict) else [""])
    }
    assert SETTINGS == in_file
    table = MANUAL.partition("| section | decides | keys |")[2].partition("\n\n")[0]
    in_table = set()
    for row in table.splitlines()[2:]:
        _, sections, _, keys, _ = row.split("|")
        for section in re.findall(r"`(\w+)`", sections):
            in_table |= {f"{section}.{key}" for key in re.findall(r"`(\w+)`", keys)} or {section}
    assert SETTINGS == in_table


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_settings_that_the_prose_names_exist(path):
    """`section.key` in backticks is a setting of freeal.yaml, or a key of the spec."""
    named = set(re.findall(r"`((?:\w+)\.(?:\w+))\b[^`/]*`", path.read_text(encoding="utf-8")))
    named = {name for name in named if name.partition(".")[0] in SECTIONS}
    assert set() == {name for name in named if name not in SETTINGS and not _is_module(name)}


def _is_module(name):
    return name.endswith((".py", ".md", ".yaml", ".csv", ".json"))


@pytest.mark.parametrize("source", _blocks("python"))
def test_python_examples_compile_and_use_only_names_and_keywords_that_exist(source):
    """A reader who copies an example gets neither a syntax error nor an unknown name or field of ours."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            _check_import(node)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "freeal":
            assert node.attr in freeal.__all__
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("freeal."):
            _check_fields(node)


def _check_import(node):
    names = [alias.name for alias in node.names]
    for module in [node.module] if isinstance(node, ast.ImportFrom) else names:
        if module.partition(".")[0] == "freeal":
            loaded = importlib.import_module(module)
            assert isinstance(node, ast.Import) or all(hasattr(loaded, name) for name in names)


def _check_fields(node):
    called = freeal
    for name in ast.unparse(node.func).split(".")[1:]:
        called = getattr(called, name)
    if isinstance(called, type) and issubclass(called, BaseModel):
        given = {keyword.arg for keyword in node.keywords}
        assert set() == given - set(called.model_fields)
        assert set() == {name for name, field in called.model_fields.items() if field.is_required()} - given


@pytest.mark.parametrize("source", _blocks("yaml"))
def test_specs_in_the_prose_are_valid(source, tmp_path):
    """Each YAML example is a spec as it stands."""
    (tmp_path / "example.yaml").write_text(source, encoding="utf-8")
    assert "example" == job_spec.load(tmp_path / "example.yaml").name


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_resolve(path):
    """No document points at a file or a heading that is not there."""
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", path.read_text(encoding="utf-8")):
        file = path.parent / target if target else path
        assert file.exists(), target
        if heading:
            assert heading in _anchors(file)


def _anchors(path):
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "target",
    [
        "setup",
        "demo",
        "test",
        "test-all",
        "lint",
        "bench",
        "bench-accuracy",
        "bench-boundaries",
        "bench-certify",
        "bench-data",
        "bench-kills",
        "bench-llm",
        "bench-restart",
        "bench-soak",
        "clean",
    ],
)
def test_make_targets_that_the_prose_names_exist(target):
    """Every `make` command of README and CONTRIBUTING is a target."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = set(re.findall(r"make ([a-z-]+)", MANUAL + CONTRIBUTING))
    assert target in named


def _help(main, capsys, *command):
    with pytest.raises(SystemExit):
        main([*command, "-h"])
    return capsys.readouterr().out


def _flags(main, capsys, *command):
    return set(re.findall(r"--[a-z][a-z-]+", _help(main, capsys, *command))) - {"--help"}
