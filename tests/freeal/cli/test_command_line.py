"""`python -m freeal` as a user types it, with a real student and a language model server on loopback."""

from __future__ import annotations

import csv
import json

import pytest

from freeal.cli.command_line import main
from freeal.testing.server import MessagesServer
from freeal.testing.tiny_encoder import tiny_encoder

ROWS = [(f"00{n}", f"a {'lovely' if n % 2 else 'rotten'} thing {n}", "happy" if n % 2 else "angry") for n in range(24)]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A tiny encoder with random weights."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A cache folder and a working folder of the test's own, and a key."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "things.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("id", "text", "mood"), *ROWS])
    return tmp_path


def _train(server, encoder, *more):
    return main(
        [
            "train", "--input-csv", "things.csv", "--output-model", "model", "--labels", "happy", "angry",
            "--label-column", "mood", "--text-columns", "text", "--description", "Is it nice?", "--iterations", "1",
            "--model-name", str(encoder), "--llm-url", server.base_url, "--output-csv", "labelled.csv", *more,
        ]
    )  # fmt: skip


def _mood(text):
    return "happy" if "lovely" in text else "angry"


def test_train_and_predict_as_in_the_quick_start(home, encoder, capsys):
    """One command labels the CSV and leaves a model, the next one labels another CSV with it and asks nobody."""
    with MessagesServer(answer=_mood) as server:
        assert 0 == _train(server, encoder)
        asked = len(server.requests)
        assert 0 == main(["predict", "--model-dir", "model", "--input-csv", "things.csv", "--output-csv", "new.csv"])
        assert asked == len(server.requests)
    with (home / "labelled.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row[0] for row in ROWS] == [row["id"] for row in rows]
    assert [row[2] for row in ROWS] == [row["freeal_llm_label"] for row in rows]
    assert "LLM after 1 round" in capsys.readouterr().out
    profile = json.loads((home / "model" / "training_profile.json").read_text())
    assert (24, {"happy", "angry"}) == (profile["rows"], set(profile["label_shares"]))
    config = json.loads((home / "model" / "config.json").read_text())
    assert {"0": "happy", "1": "angry"} == config["id2label"]


def test_the_results_folder_has_every_file(home, encoder):
    """Metrics, run record, cost, audit, demonstrations and confusions stand beside the model."""
    with MessagesServer(answer=_mood) as server:
        _train(server, encoder)
    names = {path.name for path in (home / "model-results").iterdir()}
    expected = {
        "model",
        "annotated.csv",
        "metrics.json",
        "run.json",
        "cost.json",
        "audit.jsonl",
        "demonstrations_round_1.json",
    }
    assert expected <= names
    assert ".work" not in names


def test_a_second_run_pays_nothing(home, encoder):
    """Answers are kept in the user's cache: the same command again asks the server nothing."""
    with MessagesServer(answer=_mood) as server:
        _train(server, encoder)
        asked = len(server.requests)
        assert 0 == _train(server, encoder)
        assert asked == len(server.requests)


def test_the_key_is_in_no_file(home, encoder):
    """Nothing that a run leaves behind contains the key."""
    with MessagesServer(answer=_mood) as server:
        _train(server, encoder, "--api-key", "sk-ant-planted")
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    assert [] == [path for path in files if b"sk-ant-planted" in path.read_bytes()]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--labels", "one"], 78, "key '--labels': at least 2 labels are needed"),
        (
            ["--text-columns", "txt"],
            1,
            "things.csv, line 1, column 'txt': text_columns names a column that is not there (did you mean 'text'?)",
        ),
        (["--input-csv", "nowhere.csv"], 1, "nowhere.csv: cannot be read: No such file or directory"),
        (["--examples", "none.json"], 78, "examples file 'none.json' cannot be read"),
        (["--model-name", "/nowhere"], 78, "there is no folder '/nowhere'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(home, encoder, capsys, arguments, code, message):
    """Wrong input ends with the exit code of its kind and a line that says where, and nothing is asked."""
    with MessagesServer(answer=_mood) as server:
        assert code == _train(server, encoder, *arguments)
        assert [] == list(server.requests)
    assert message in capsys.readouterr().err


def test_without_a_key_anthropic_says_where_to_put_one(home, encoder, capsys, monkeypatch):
    """A missing key is a configuration error that names the places."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with MessagesServer(answer=_mood) as server:
        assert 78 == _train(server, encoder, "--llm-provider", "anthropic")
    assert "no Anthropic key found (put it into ANTHROPIC_API_KEY" in capsys.readouterr().err


@pytest.mark.parametrize("named", ["model", "model-results"])
def test_correct_makes_a_new_model_from_the_review_queue(home, encoder, capsys, named):
    """From what train wrote, whichever of its folders is named; nobody is asked, and the figures say what changed."""
    with MessagesServer(answer=lambda text: "happy") as server:
        _train(server, encoder)
        asked = len(server.requests)
    with (home / "queue.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = [(text, mood.title()) for _, text, mood in ROWS[:6]]
        csv.writer(stream).writerows([("text", "freeal_corrected"), *rows])
    capsys.readouterr()
    assert 0 == main(["correct", "--model-dir", named, "--corrections-csv", "queue.csv", "--output-model", "better"])
    assert asked == len(server.requests)
    out = capsys.readouterr().out
    assert "6 texts: 3 changed, 0 new" in out
    assert "50.0 % (18.8 to 81.2) of 6 that were looked at" in out
    assert (home / "better" / "model.safetensors").is_file()
    assert not (home / "better-results" / ".work").exists()


def test_correct_says_where_there_is_nothing_to_correct(home, capsys):
    """An empty folder, a file with mistakes: one line each, and exit code 1."""
    (home / "empty").mkdir()
    assert 1 == main(["correct", "--model-dir", "empty", "--corrections-csv", "queue.csv"])
    assert "no version that can be corrected" in capsys.readouterr().err
