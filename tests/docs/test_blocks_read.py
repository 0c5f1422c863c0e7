"""Code in the prose that is not run here is read: its commands, options, names and keys exist."""

from __future__ import annotations

import ast
import configparser
import importlib
import io
import json
import re
import shlex

import pytest
from prose import BLOCKS, LANGUAGES, PAGES, ROOT
from pydantic import BaseModel

import daemon.cli.command_line
import daemon.config
import freeal
import freeal.cli.command_line
from freeal.spec import job_spec

PARSERS = {
    "daemon": daemon.cli.command_line.argument_parser,
    "freeal": freeal.cli.command_line.argument_parser,
}


def _of(*languages):
    return [pytest.param(block, id=str(block)) for block in BLOCKS if block.language in languages]


def test_every_block_says_what_it_is():
    """A block without a language is checked by nobody."""
    assert [] == [str(block) for block in BLOCKS if block.language not in LANGUAGES]
    fences = sum(len(re.findall(r"^ *```", page.read_text(encoding="utf-8"), re.MULTILINE)) for page in PAGES)
    hidden = sum(page.read_text(encoding="utf-8").count("<!-- run: ") for page in PAGES)
    assert fences == 2 * (len(BLOCKS) - hidden)


def _commands(text):
    """(package, its arguments) of each command of ours in a script."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||;|\|", line):
            words = shlex.split(part, comments=True)
            for package in PARSERS:
                if package in words and words[words.index(package) - 1] == "-m":
                    yield package, words[words.index(package) + 1 :]


@pytest.mark.parametrize("block", _of("sh", "bash"))
def test_commands_of_ours_take_these_arguments(block, capsys):
    """Each `python -m daemon|freeal ...` of a shell block is understood as it stands."""
    for package, arguments in _commands(block.text):
        try:
            PARSERS[package]().parse_args(arguments)
        except SystemExit:
            pytest.fail(f"{block}: {package} {arguments}\n{capsys.readouterr().err}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_within_sentences_exist_with_their_options(page):
    """`python -m daemon|freeal COMMAND --option` in backticks names a command and options of that command."""
    for package, rest in re.findall(r"`(?:\.venv/bin/)?python -m (daemon|freeal)\b([^`]*)`", page.read_text("utf-8")):
        words = rest.split()
        parser = PARSERS[package]()
        known = parser._subparsers._group_actions[0].choices
        if words and re.fullmatch(r"[a-z]+", words[0]):
            assert words[0] in known
            parser = known[words[0]]
        options = {name for action in parser._actions for name in action.option_strings}
        assert set() == {word for word in words if word.startswith("--")} - options


@pytest.mark.parametrize("block", _of("sh", "bash"))
def test_make_targets_exist(block):
    """Each `make TARGET` of a shell block is one."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z-]+)", block.text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("block", _of("yaml"))
def test_yaml_is_a_valid_spec_or_a_valid_freeal_yaml(block, tmp_path):
    """A block called freeal.yaml is read as settings, every other as a spec."""
    path = tmp_path / (block.title or "example.yaml")
    path.write_text(block.text, encoding="utf-8")
    if path.name == "freeal.yaml":
        assert set(daemon.config.load(path, environment={}).sources.values()) != {"default"}
    else:
        assert path.stem == job_spec.load(path).name


@pytest.mark.parametrize("block", _of("ini", "json"))
def test_other_files_can_be_parsed(block):
    """Drop-ins and JSON are well formed."""
    if block.language == "json":
        json.loads(block.text)
    else:
        parser = configparser.ConfigParser(strict=True)
        parser.read_file(io.StringIO(block.text))
        assert parser.sections()


@pytest.mark.parametrize("block", _of("python"))
def test_python_examples_compile_and_use_only_names_and_keywords_that_exist(block):
    """A reader who copies an example gets neither a syntax error nor an unknown name or field of ours."""
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            _check_import(node)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "freeal":
            assert node.attr in freeal.__all__
        if isinstance(node, ast.Call) and re.fullmatch(r"freeal(\.\w+)+", ast.unparse(node.func)):
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
