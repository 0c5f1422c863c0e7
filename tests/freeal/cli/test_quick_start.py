"""The quick start that this project began with, as it is written; only the program's name is another."""

from __future__ import annotations

import csv
import json
import shlex

import pytest

from freeal.cli.command_line import main
from freeal.testing.server import MessagesServer
from freeal.testing.tiny_encoder import tiny_encoder

API_KEY_PY = 'anthropic_api_key = "your_api_key_here"\ndefault_model = "claude-3-haiku-20240307"\n'

PAIRS = [
    ["This product exceeded my expectations and works perfectly.", "positive"],
    ["I'm very disappointed with the quality and would not recommend.", "negative"],
    ["The service was excellent and the staff was friendly.", "positive"],
    ["Terrible experience, will not be ordering again.", "negative"],
]

TRAIN = """
train \\
  --input-csv reviews.csv \\
  --output-model sentiment_model \\
  --label-column sentiment \\
  --labels positive,negative \\
  --description "Classify the sentiment of product reviews as positive or negative." \\
  --examples examples.json \\
  --iterations 3 \\
  --output-csv annotated_reviews.csv
"""

PREDICT = """
predict \\
  --model-dir sentiment_model \\
  --input-csv new_reviews.csv \\
  --output-csv predictions.csv
"""

ROWS = [
    [str(number), f"a {'lovely' if number % 2 else 'rotten'} thing {number}", "positive" if number % 2 else "negative"]
    for number in range(24)
]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A tiny encoder in place of one of 82 million parameters."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The files of the quick start, and no key but that of api_key.py."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_FILE", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "api_key.py").write_text(API_KEY_PY, encoding="utf-8")
    (tmp_path / "examples.json").write_text(json.dumps(PAIRS), encoding="utf-8")
    for name, rows in (("reviews.csv", ROWS), ("new_reviews.csv", [row[:2] for row in ROWS])):
        header = ["id", "review", "sentiment"][: len(rows[0])]
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([header, *rows])
    return tmp_path


def _run(command, server, encoder, *more):
    local = ["--llm-url", server.base_url, "--model-name", str(encoder)]  # nothing else is added to the words
    return main([*shlex.split(command.replace("\\\n", " ")), *local, *more])


def _label(text):
    return "positive" if "lovely" in text.rpartition("<text>")[2] or "lovely" in text[-200:] else "negative"


def _rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_quick_start_runs_as_it_is_written(home, encoder, capsys):
    """Training labels every row and leaves `sentiment_model`, which prediction takes, `--batch-size` and all."""
    with MessagesServer(answer=_label, key="your_api_key_here") as server:
        assert 0 == _run(TRAIN, server, encoder)
        asked = [request.body for request in server.requests]
    assert {"claude-haiku-5-5"} == {body["model"] for body in asked}
    assert PAIRS[0][0] in json.dumps(asked[0])
    said = capsys.readouterr().err
    assert "api_key.py is read for its key alone, not for default_model = 'claude-3-haiku-20240307'" in said
    assert [row[2] for row in ROWS] == [row["freeal_llm_label"] for row in _rows(home / "annotated_reviews.csv")]
    assert 0 == main(shlex.split(PREDICT.replace("\\\n", " ")))
    assert 0 == main([*shlex.split(PREDICT.replace("\\\n", " ")), "--batch-size", "32"])
    assert [row[0] for row in ROWS] == [row["id"] for row in _rows(home / "predictions.csv")]
    assert {"positive", "negative"} >= {row["freeal_label"] for row in _rows(home / "predictions.csv")}


def test_the_quick_starts_language_model_is_asked_and_said_to_be_old(home, encoder, capsys):
    """`--llm-model claude-3-haiku-20240307` is never replaced in silence; today's nearest is named."""
    with MessagesServer(answer=_label) as server:
        assert 0 == _run(TRAIN, server, encoder, "--llm-model", "claude-3-haiku-20240307", "--iterations", "1")
        assert {"claude-3-haiku-20240307"} == {request.body["model"] for request in server.requests}
    said = capsys.readouterr().err
    assert "claude-3-haiku-20240307 is not among the models that Anthropic listed on" in said
    assert "name one that is: claude-haiku-5-5, claude-haiku-4-5" in said


def test_text_columns_take_commas_and_examples_take_names(home, encoder, capsys):
    """`--text-columns a,b` is two columns, and an example may say which is which."""
    named = [{"text": text, "label": label} for text, label in PAIRS]
    (home / "examples.json").write_text(json.dumps(named), encoding="utf-8")
    with MessagesServer(answer=_label) as server:
        assert 0 == _run(TRAIN, server, encoder, "--text-columns", "id,review", "--iterations", "1", "--json")
        assert "id: 3, review: a lovely thing 3" in json.dumps([request.body for request in server.requests])
    told = json.loads(capsys.readouterr().out)
    assert (24, ["positive", "negative"]) == (told["rows"], told["labels"])
    assert {"model": "sentiment_model", "labelled_rows": "annotated_reviews.csv"}.items() <= told["files"].items()


def test_a_dry_run_asks_nobody_and_a_cap_holds(home, encoder, capsys):
    """`--dry-run` prints what it would cost, as JSON too; `--budget-usd 0` ends with code 3 or 1 and asks nothing."""
    with MessagesServer(answer=_label) as server:
        assert 0 == _run(TRAIN, server, encoder, "--dry-run", "--json")
        told = json.loads(capsys.readouterr().out)
        assert (24, "anthropic") == (told["rows"], told["provider"])
        assert 0 < told["usd"]["low"] <= told["usd"]["high"]
        assert 0 != _run(TRAIN, server, encoder, "--budget-usd", "0")
        assert [] == list(server.requests)
    assert not (home / "sentiment_model").exists()


def test_a_run_that_is_resumed_or_begun_anew_pays_nothing_twice(home, encoder, capsys):
    """`--resume` without anything to go on with says so and begins; `--no-resume` begins with the paid answers."""
    with MessagesServer(answer=_label) as server:
        assert 0 == _run(TRAIN, server, encoder, "--resume", "--iterations", "1", "--seed", "3")
        assert "there is no run to go on with" in capsys.readouterr().err
        asked = len(server.requests)
        assert 0 == _run(TRAIN, server, encoder, "--no-resume", "--iterations", "1", "--seed", "3")
        assert asked == len(server.requests)


def test_prediction_says_beforehand_what_it_would_do(home, encoder, capsys):
    """`--dry-run` reads the table, names rows and columns, and writes nothing; `--json` tells programs."""
    with MessagesServer(answer=_label) as server:
        assert 0 == _run(TRAIN, server, encoder, "--iterations", "1")
    capsys.readouterr()
    command = shlex.split(PREDICT.replace("\\\n", " "))
    assert 0 == main([*command, "--text-columns", "id,review", "--dry-run", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (24, ["id", "review"]) == (told["rows"], told["text_columns"])
    assert not (home / "predictions.csv").exists()
    assert 0 == main([*command, "--no-resume", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (24, 24, "predictions.csv") == (told["rows"], sum(told["label_counts"].values()), told["output_csv"])
