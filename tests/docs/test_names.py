"""What exists stands in the prose, and what the prose names exists."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from prose import DOCS, PAGES, ROOT

import daemon.cli.command_line
import daemon.config
import daemon.errors
import freeal.cli.command_line
from freeal import errors
from freeal.certification import blind_sheet
from freeal.corrections.review_queue import REVIEW_COLUMNS
from freeal.prediction.output.output_cells import PREDICTION_COLUMNS
from freeal.results.output_files import ANNOTATED_COLUMNS
from freeal.spec import job_spec
from freeal.table.csv_format import CsvFormat
from freeal.types import Status

MANUAL = "".join(path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md")))
RUNBOOK = (DOCS / "runbook.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROSE = [*PAGES, ROOT / "CHANGELOG.md"]
SETTINGS = {key for key, _ in daemon.config.flatten_settings(daemon.config.Settings())}
SECTIONS = {key.partition(".")[0] for key in SETTINGS}
COMMANDS = {"daemon": daemon.cli.command_line, "freeal": freeal.cli.command_line}
ERRORS = [
    name
    for module in (errors, daemon.errors)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, Exception)
]


@pytest.mark.parametrize(
    "name",
    [
        *job_spec.Spec.model_fields,
        *CsvFormat.model_fields,
        *sorted(SETTINGS),
        *ANNOTATED_COLUMNS,
        *PREDICTION_COLUMNS,
        *REVIEW_COLUMNS,
        blind_sheet.COLUMN,
        *(status.value for status in Status),
        *ERRORS,
    ],
)
def test_the_manual_names_every_key_column_status_and_error(name):
    """A user who meets a name in a file or a message finds it in the pages."""
    assert f"`{name}`" in MANUAL


def test_the_runbook_says_what_to_do_about_every_error():
    """Each class stands in the table of errors once, and no other does."""
    table = RUNBOOK.partition("| error | do |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines()[2:]))
    assert sorted({*ERRORS, "internal"}) == sorted(named)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 75, 78])
def test_every_exit_code_is_explained(code):
    """The page of errors has a line for it, and `-h` of a command tells it."""
    assert f"| `{code}` |" in (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    assert any(f"{code} " in (module.argument_parser().epilog or "") for module in COMMANDS.values())


@pytest.mark.parametrize("package", sorted(COMMANDS))
def test_the_manual_names_every_command_and_option(package, capsys):
    """Each command and long option that `-h` prints has its place in the page of commands."""
    page = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    help_text = _help(package, capsys)
    names = re.findall(r"^ {4}([a-z]+)(?: {2,}|$)", help_text, re.MULTILINE)
    assert {"daemon": {"status", "check"}, "freeal": {"train", "predict"}}[package] < set(names)
    for name in names:
        section = page.partition(f"## {package} {name}\n")[2].partition("\n## ")[0]
        flags = set(re.findall(r"--[a-z][a-z-]+", _help(package, capsys, name))) - {"--help"}
        assert set() == {flag for flag in flags if flag not in section}, name
        assert f"`python -m {package} {name}" in MANUAL or f"python -m {package} {name}" in MANUAL


def test_every_setting_stands_in_freeal_yaml():
    """freeal.yaml and the code name the same sections and keys."""
    document = yaml.safe_load((ROOT / "freeal.yaml").read_text(encoding="utf-8"))
    in_file = {
        f"{section}.{key}" if key else section
        for section, content in document.items()
        for key in (content if isinstance(content, dict) else [""])
    }
    assert SETTINGS == in_file


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_settings_that_the_prose_names_exist(path):
    """`section.key` in backticks is a setting of freeal.yaml, or a key of the spec."""
    named = set(re.findall(r"`((?:\w+)\.(?:\w+))\b[^`/]*`", path.read_text(encoding="utf-8")))
    named = {name for name in named if name.partition(".")[0] in SECTIONS}
    assert set() == {name for name in named if name not in SETTINGS and not _is_file(name)}


def _is_file(name):
    return name.endswith((".py", ".md", ".yaml", ".csv", ".json"))


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z-]+)`", MANUAL + CONTRIBUTING))))
def test_make_targets_that_the_prose_names_exist(target):
    """Every `make` command of the pages and CONTRIBUTING is a target."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(
    "target", re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
)
def test_every_make_target_is_explained(target):
    """Each target that `make help` lists, `help` itself aside, stands in the pages or in CONTRIBUTING."""
    assert target == "help" or re.search(rf"make {target}(?![\w-])", MANUAL + CONTRIBUTING)


def test_every_extra_is_explained_and_exists():
    """The page on installing lists the extras of pyproject.toml, and `freeal-daemon[...]` names no other."""
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"])
    page = (DOCS / "how-to" / "install.md").read_text(encoding="utf-8")
    rows = page.partition("| extra | for |")[2].partition("\n\n")[0].splitlines()[2:]
    assert extras == {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    named = re.findall(r"(?:freeal-daemon|\.whl|'\.)\[([\w,]+)\]", MANUAL + CONTRIBUTING)
    assert named
    assert set() == {name for listed in named for name in listed.split(",")} - extras


def _help(package, capsys, *command):
    with pytest.raises(SystemExit):
        COMMANDS[package].main([*command, "-h"])
    return capsys.readouterr().out
