"""`--json`: one object on stdout from every command, whatever becomes of it."""

from __future__ import annotations

import argparse
import json

import pytest

import daemon.cli.command_line as service
import freeal.cli.command_line as library


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in; every answer of the models is the packaged one's business."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "freeal.yaml").write_text("watch: {pair_timeout_seconds: 60}\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def said(capsys):
    """Run a command of the service: its exit code and the object it printed."""

    def run(*arguments):
        code = service.main([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def _commands(parser, path=()):
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield path, parser
    for group in groups:
        for name, inner in group.choices.items():
            yield from _commands(inner, (*path, name))


@pytest.mark.parametrize("package", [service, library])
def test_every_command_takes_it(package):
    """None is left out, nor one of several words."""
    commands = dict(_commands(package.argument_parser()))
    assert len(commands) >= 5
    assert [] == [path for path, parser in commands.items() if "--json" not in parser._option_string_actions]


def test_a_dry_run_tells_what_would_fail_and_what_waits(folder, said):
    """With the place of each fault."""
    (folder / "inbox" / "a.csv").write_text("text\ngood\n", encoding="utf-8")
    (folder / "inbox" / "a.yaml").write_text("description: Good?\nlables: [yes, no]\n", encoding="utf-8")
    (folder / "inbox" / "lonely.yaml").write_text("description: Good?\n", encoding="utf-8")
    code, found = said("--dry-run")
    assert 1 == code
    assert [] == found["jobs"]
    [failure] = found["would_fail"]
    assert "a.csv" == failure["csv"]
    assert {"lables", "labels"} == {one["where"]["key"] for one in failure["error"]}
    assert "did you mean 'labels'?" == failure["error"][0]["hint"]
    assert ["lonely.yaml"] == [entry["file"] for entry in found["waiting"]]


def test_once_with_nothing_to_do_says_so(folder, said):
    """Empty lists, and 0."""
    assert (0, {"exit_code": 0, "jobs": [], "predictions": [], "waiting": []}) == said("--once")


def test_what_is_wrong_is_an_object_too(folder, said):
    """An unknown job, an unknown version, a mistake in freeal.yaml: the exit code as ever, and the fault on stdout."""
    code, found = said("retry", "nobody")
    assert 2 == code
    assert "nobody" in found["error"][0]["problem"]
    assert 2 == said("use", "nobody")[0]
    (folder / "freeal.yaml").write_text("watsch: {}\n", encoding="utf-8")
    code, found = said("status")
    assert 78 == code
    [fault] = found["error"]
    assert (1, "watsch", "did you mean 'watch'?") == (fault["where"]["line"], fault["where"]["key"], fault["hint"])


def test_the_service_itself_writes_lines(folder, capsys):
    """It has no end at which an object could be printed."""
    with pytest.raises(SystemExit) as stop:
        service.main(["--json"])
    assert 2 == stop.value.code
    assert "log.format: json" in capsys.readouterr().err


@pytest.mark.timeout(300)
def test_check_tells_findings_and_settings(folder, said):
    """What people read line by line, by key."""
    code, found = said("check")
    assert found["ok"] == (code == 0) == all(one["is_well"] for one in found["findings"])
    assert {"folders", "inbox", "disk", "language model"} & {one["subject"] for one in found["findings"]}
    assert {"value": 60.0, "source": "freeal.yaml:1"} == found["settings"]["watch.pair_timeout_seconds"]


def test_the_library_s_commands_say_what_is_wrong_in_the_same_form(tmp_path, capsys):
    """Problem, place and hint."""
    assert 1 == library.main(["show", str(tmp_path), "--json"])
    [fault] = json.loads(capsys.readouterr().out)["error"]
    assert str(tmp_path) == fault["where"]["file"]
    assert "metrics.json" in fault["problem"]
