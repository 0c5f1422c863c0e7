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


def test_training_again_tells_what_this_run_cost_and_what_the_model_did(home, encoder, capsys):
    """With more rows into the same folder: figures and report name both bills, the first one's dollars among them."""
    with MessagesServer(answer=_mood) as server:
        _train(server, encoder)
        first = len(server.requests)
        assert "cost of the model" not in capsys.readouterr().out
        with (home / "things.csv").open("a", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([(f"1{n}", f"a lovely chair {n}", "happy") for n in range(6)])
        _train(server, encoder)
        asked = len(server.requests)
    capsys.readouterr()
    assert 0 == main(["show", "model"])
    shown = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines() if "  " in line)
    metrics = json.loads((home / "model-results" / "metrics.json").read_text())
    own, model = metrics["cost"], metrics["model_cost"]
    assert (asked - first, asked, True) == (own["calls"], model["calls"], model["usd"] > own["usd"] > 0.0)
    assert f"{own['usd']:.4f} USD, {asked - first} calls of anthropic" == shown["cost of this run"].strip()
    assert f"{model['usd']:.4f} USD, {asked} calls in 2 runs" == shown["cost of the model"].strip()
    page = (home / "model-results" / "report.html").read_text()
    assert "paid for the model altogether" in page


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


def test_a_model_that_is_gone_is_named_with_those_of_today(home, encoder, capsys):
    """The provider's 404 ends the run with its own words, and what may be asked instead."""
    with MessagesServer(answer=_mood, fault_for=lambda body: "404") as server:
        assert 1 == _train(server, encoder, "--llm-model", "claude-3-haiku-20240307")
    said = capsys.readouterr().err
    assert "models of today: claude-haiku-5-5, claude-haiku-4-5" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "happy,,angry"], "--labels': a label has no name"),
        (["--model-name", "~nosuchuser/x"], "key 'student.model': '~nosuchuser/x' names a home folder"),
        (["--seed", "-1"], "key '--seed': must be greater than or equal to 0"),
        (["--budget-usd", "inf"], "key '--budget-usd': must be a number"),
        (["--description", " "], "key '--description': must say what is to be decided"),
    ],
)
def test_a_flag_that_is_wrong_is_named(home, encoder, capsys, arguments, message):
    """As it stands on the command line, and nothing is asked."""
    with MessagesServer(answer=_mood) as server:
        assert 78 == _train(server, encoder, *arguments)
        assert [] == list(server.requests)
    assert message in capsys.readouterr().err


def test_an_entry_of_the_examples_is_named_by_its_number(home, encoder, capsys):
    """File and entry, counted from one."""
    (home / "e.json").write_text('[["nice", "happy"], ["bad", "angri"]]')
    with MessagesServer(answer=_mood) as server:
        assert 78 == _train(server, encoder, "--examples", "e.json")
    assert "e.json, key 'entry 2': the label 'angri' of an example is none of the labels" in capsys.readouterr().err


def test_show_prints_figures_or_json(home, encoder, capsys):
    """The same content for people and for programs."""
    with MessagesServer(answer=_mood) as server:
        _train(server, encoder, "--json")
    told = json.loads(capsys.readouterr().out)
    assert 0 == main(["show", "model-results"])
    assert "24 (24 distinct)" in capsys.readouterr().out
    assert 0 == main(["show", "model-results", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert shown == {name: value for name, value in told.items() if name != "files"}


def test_the_version_is_told(capsys):
    """`--version` ends with code 0."""
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert 0 == left.value.code
    assert capsys.readouterr().out.startswith("freeal ")


def test_columns_are_found_however_their_accents_are_typed(home, encoder):
    """The header is NFD, as macOS writes it; the command line NFC. The header stays what it was."""
    with (home / "things.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("id", "a\u0308u\u00dferung", "mood"), *ROWS])
    with MessagesServer(answer=_mood) as server:
        assert 0 == _train(server, encoder, "--text-columns", "\u00e4u\u00dferung")
    header = (home / "labelled.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.startswith("id,a\u0308u\u00dferung,mood,")
