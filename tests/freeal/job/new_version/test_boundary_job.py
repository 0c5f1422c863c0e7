"""From boundary questions to a version that asked only what can change (freeal/job/new_version/boundary_job.py)."""

from __future__ import annotations

import csv
import json
import re

import anyio
import pytest
import yaml

from freeal.cli.command_line import main
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.spec.job_spec import Spec
from freeal.testing.scripted_model import text_of
from freeal.testing.server import MessagesServer

COUNT = 60
KINDS = ("animal", "plant", "tool")
WORDS = {"animal": "a furry beast", "plant": "a green leaf", "tool": "a steel hammer"}


def _kind(number):
    return KINDS[number % 3]


def _text(number):
    """Every tenth text is a plant that looks like an animal."""
    return f"{'a furry leaf' if number % 10 == 0 else WORDS[_kind(number)]}, number {number}"


def _by_words(text):
    return "animal" if "furry" in text else "plant" if "leaf" in text else "tool"


def _told(text):
    """After the answer: what is furry and a leaf is a plant."""
    return "plant" if "leaf" in text else _by_words(text)


@pytest.fixture
def version(tmp_path, encoder_folder):
    """A version whose language model took furry leaves for animals."""
    path = tmp_path / "things.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("id", "text"), *((one, _text(one)) for one in range(COUNT))])
    spec = Spec(
        name="things", description="What is it?", labels={"animal": "it lives and moves", "plant": "", "tool": ""},
        text_columns=["text"], id_column="id", student={"model": str(encoder_folder), "mode": "frozen"},
        llm={"provider": "anthropic"},
    )  # fmt: skip
    with MessagesServer(answer=_by_words) as server:
        job = TrainingJob(
            job_id="one", csv=path, spec=spec, output=tmp_path / "one", work=tmp_path / "work", cache=tmp_path,
            answers=tmp_path / "answers.sqlite", key_folder=tmp_path, llm={"base_url": server.base_url},
            loop={"iterations": 1},
        )  # fmt: skip
        anyio.run(lambda: train(job, api_key="sk-ant-test", environ={}))
    return tmp_path / "one"


def test_rules_for_a_model_that_scores_labels_are_warned_of(version, tmp_path, monkeypatch, capsys):
    """With the questions and again with what they change; nothing of the kind for a model that follows instructions."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    assert 0 == main(["boundaries", str(version), "--json"])
    assert json.loads(capsys.readouterr().out)["warning"] is None
    metrics = json.loads((version / "metrics.json").read_text())
    (version / "metrics.json").write_text(json.dumps(metrics | {"llm": metrics["llm"] | {"form": "plain"}}))
    assert 0 == main(["boundaries", str(version)])
    assert "note: the language model of this version scores labels" in capsys.readouterr().err
    answers = tmp_path / "answers.yaml"
    pair = {"between": ["animal", "plant"], "answer": {"animal": {"is_not": "furry leaves", "goes_to": "plant"}}}
    answers.write_text(yaml.safe_dump({"pairs": [pair]}))
    assert 0 == main(["boundaries", str(version), "--answers", str(answers), "--json"])
    assert "Correct rows of the review queue" in json.loads(capsys.readouterr().out)["warning"]


def test_where_its_language_model_cannot_be_asked_nobody_else_is(version, tmp_path, monkeypatch, capsys):
    """Without a key nothing is proposed, applied or asked again: a model in memory would give other labels."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    told = json.loads((version / "run.json").read_text())
    told["spec"]["llm"]["provider"] = "auto"  # as `train` writes it where no option says otherwise
    (version / "run.json").write_text(json.dumps(told))
    assert 0 == main(["boundaries", str(version)])
    assert "no answers are proposed: no Anthropic key found" in capsys.readouterr().out
    answers = tmp_path / "answers.yaml"
    pair = {"between": ["animal", "plant"], "answer": {"animal": {"is_not": "furry leaves", "goes_to": "plant"}}}
    answers.write_text(yaml.safe_dump({"pairs": [pair]}))
    (tmp_path / "corrections.csv").write_text(f"text,freeal_corrected\n{_text(0)!r},plant\n".replace("'", '"'))
    corrected = ["--corrections-csv", "corrections.csv", "--ask-again"]
    for command in (["boundaries", str(version), "--answers", str(answers), "--apply"],
                    ["correct", "--model-dir", str(version), *corrected]):  # fmt: skip
        assert 78 == main(command)
        assert "no Anthropic key found" in capsys.readouterr().err
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    assert 0 == main(["boundaries", str(version), "--llm-url", "http://127.0.0.1:9"])
    assert f"boundaries {version} --propose --llm-url http://127.0.0.1:9 (" in capsys.readouterr().out


def test_from_questions_to_a_version_that_asked_only_what_can_change(version, tmp_path, monkeypatch, capsys):
    """The questions are written, an answer is quoted as a difference, and applying it asks fewer texts than there are,
    with the new meaning in each prompt; what moved is told."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    monkeypatch.chdir(tmp_path)
    assert 0 == main(["boundaries", str(version), "--json"])
    asked = json.loads(capsys.readouterr().out)
    assert all(set(pair["between"]) <= set(KINDS) for pair in asked["pairs"])
    answers = tmp_path / "answers.yaml"
    pair = {"between": ["animal", "plant"], "answer": {"animal": {"is_not": "furry leaves", "goes_to": "plant"}}}
    answers.write_text(yaml.safe_dump({"pairs": [pair]}))
    assert 0 == main(["boundaries", str(version), "--answers", str(answers)])
    shown = capsys.readouterr().out
    assert "+ it lives and moves; is not furry leaves (goes to plant instead)" in shown
    texts = int(re.search(r"(\d+) of 60 texts can change", shown)[1])
    assert 0 < texts < COUNT
    with MessagesServer(answer=_told) as server:
        options = ["--answers", str(answers), "--apply", "--llm-url", server.base_url, "--json"]
        assert 0 == main(["boundaries", str(version), *options])
        prompts = [str(request.body) for request in server.requests]
        texts_asked = {text_of(str(request.body["messages"])) for request in server.requests}
    found = json.loads(capsys.readouterr().out)
    assert texts == found["texts"] == len(texts_asked)
    assert all("goes to plant instead" in prompt for prompt in prompts)
    assert found["moved"]["rows"] > 0
    with (tmp_path / "things-boundaries-results" / "annotated.csv").open(encoding="utf-8", newline="") as stream:
        labels = {row["text"]: row["freeal_llm_label"] for row in csv.DictReader(stream)}
    contested = [text for text in texts_asked if "furry leaf" in text]
    assert {"plant"} == {labels[text] for text in contested}
    assert main(["boundaries", str(version), "--apply"]) == 78
