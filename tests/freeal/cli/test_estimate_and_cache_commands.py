"""`python -m freeal estimate` and `cache`."""

from __future__ import annotations

import pytest

from freeal.cli.command_line import main
from freeal.llm.store.answer_store import SqliteStore
from freeal.types import Reply

SPEC = "description: Is it good?\nlabels: [yes it is, no it is not]\nllm: {provider: local}\n"


@pytest.fixture
def store(tmp_path):
    """An answer store with three answers of one model, one of them used again."""
    path = tmp_path / "answers.sqlite"
    opened = SqliteStore(path, asked_of="anthropic/claude-haiku-5-5")
    opened.put_many({str(number): Reply(text="x") for number in range(3)})
    opened.get_many(["1"])
    opened.close()
    return path


def test_cache_shows_file_size_answers_and_hits(store, capsys):
    """Per provider and model."""
    assert 0 == main(["cache", "--path", str(store)])
    shown = capsys.readouterr().out
    assert str(store) in shown
    assert " MB" in shown
    assert "anthropic/claude-haiku-5-5: 3 answers, used again 1 times" in shown


def test_cache_prunes_by_age(store, capsys):
    """Of nothing old, nothing goes; the age is given with its unit."""
    assert 0 == main(["cache", "--path", str(store), "--prune-older-than", "30d"])
    assert "0 answers deleted" in capsys.readouterr().out
    assert 0 == main(["cache", "--path", str(store), "--prune-older-than", "0h"])
    assert "3 answers deleted" in capsys.readouterr().out


def test_an_age_without_a_unit_is_refused(store, capsys):
    """Thirty what? Nothing is deleted."""
    with pytest.raises(SystemExit) as left:
        main(["cache", "--path", str(store), "--prune-older-than", "30"])
    assert 2 == left.value.code
    assert "30d" in capsys.readouterr().err


def test_a_store_that_is_not_there_is_named(tmp_path, capsys):
    """Exit 78, and none is made."""
    assert 78 == main(["cache", "--path", str(tmp_path / "none.sqlite")])
    assert "none.sqlite" in capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())


def test_estimate_tells_and_makes_nothing_visible_of_control_characters(tmp_path, capsys, monkeypatch):
    """Figures and the first prompt; an escape sequence in a row does not reach the terminal."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("text\n\x1b[31ma red thing\nanother thing\n")
    (tmp_path / "in.yaml").write_text(SPEC)
    assert 0 == main(["estimate", "in.csv", "in.yaml"])
    shown = capsys.readouterr().out
    assert "2 rows, 2 distinct, of text" in shown
    assert "0 USD" in shown
    assert "\\x1b[31ma red thing" in shown
    assert "\x1b" not in shown


def test_estimate_of_a_missing_file_is_an_error_without_a_traceback(tmp_path, capsys):
    """The message names it."""
    (tmp_path / "in.yaml").write_text(SPEC)
    assert 0 != main(["estimate", str(tmp_path / "none.csv"), str(tmp_path / "in.yaml")])
    assert "none.csv" in capsys.readouterr().err
