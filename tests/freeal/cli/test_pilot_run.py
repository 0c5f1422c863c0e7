"""`train --pilot` and `train --go` (freeal/cli/pilot_run.py)."""

from __future__ import annotations

import csv
import json

import pytest

from freeal.cli.command_line import main
from freeal.testing.scripted_model import text_of
from freeal.testing.server import MessagesServer

COUNT, PILOT = 60, 24


@pytest.fixture
def command(tmp_path, encoder_folder, monkeypatch):
    """The same command, with other options behind it; gives exit code and the rows that were asked about."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    monkeypatch.chdir(tmp_path)
    rows = [(number, f"a {'good' if number % 2 else 'bad'} thing, number {number}") for number in range(COUNT)]
    with (tmp_path / "things.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("id", "text"), *rows])

    def run(*options, labels="good,bad"):
        fixed = ["--input-csv", "things.csv", "--output-model", "m", "--labels", labels, "--text-columns", "text"]
        fixed += ["--model-name", str(encoder_folder), "--iterations", "1", "--budget-usd", "5"]
        with MessagesServer(answer=lambda text: "good" if "good" in text else "bad") as server:
            code = main(["train", *fixed, "--llm-url", server.base_url, *options])
            asked = [text_of(str(request.body["messages"])) for request in server.requests]
        return code, {text for text in asked if "number" in text}

    return run


def test_the_first_rows_then_a_look_then_the_rest(command, tmp_path, capsys):
    """Each row is asked once; the rest knows what the pilot cost; nothing is left of the pilot."""
    assert 78 == command("--go")[0]
    assert "run it first, with --pilot 200" in capsys.readouterr().err
    code, first = command("--pilot", str(PILOT), "--json")
    told = json.loads(capsys.readouterr().out)
    assert (0, PILOT, PILOT, COUNT - PILOT) == (code, len(first), told["rows"], told["rest"]["rows"])
    assert (tmp_path / "m-pilot" / "report.html").is_file()
    assert not (tmp_path / "m").exists()
    assert 78 == command("--go", labels="good,bad,other")[0]
    assert "was of another job (other: labels)" in capsys.readouterr().err
    code, rest = command("--go", "--json")
    metrics = json.loads(capsys.readouterr().out)
    assert (0, COUNT - PILOT, set()) == (code, len(rest), first & rest)
    assert (COUNT, True) == (metrics["rows"], metrics["cost"]["usd"] > told["usd"] > 0.0)
    assert not (tmp_path / "m-pilot").exists()


def test_a_table_no_longer_than_its_pilot_is_done_at_once(command, tmp_path, capsys):
    """With a word about it; too few rows, and both options at once, are refused."""
    assert 0 == command("--pilot", str(COUNT))[0]
    assert "no more rows than its pilot" in capsys.readouterr().err
    assert (True, False) == ((tmp_path / "m").is_dir(), (tmp_path / "m-pilot").exists())
    assert 78 == command("--pilot", "5")[0]
    assert "--pilot" in capsys.readouterr().err
    assert 78 == command("--pilot", "30", "--go")[0]
