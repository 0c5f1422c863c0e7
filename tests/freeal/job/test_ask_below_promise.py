"""Rows below a model's promise, asked of the language model within a cap (freeal/job/ask_below_promise.py)."""

from __future__ import annotations

import contextlib
import csv
import json
import re

import pytest

from freeal.corrections import asked_texts
from freeal.errors import AccountError, ConfigError, CorruptModelError, CredentialsError, InputError
from freeal.job.ask_below_promise import BelowPromise
from freeal.prediction.predict_csv import predict_csv
from freeal.prediction.prediction_job import AskBelowPromise, PredictionJob
from freeal.prediction.prediction_run import PredictionRun
from freeal.prediction.published_model import Classifier
from freeal.prediction.second_opinion import AskedRow
from freeal.results import previous_version
from freeal.settings import LlmSettings, PredictSettings, Price
from freeal.spec.job_spec import Spec
from freeal.student.labelled_texts import LabelledTexts
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.testing.tiny_student import TinyTrainer
from freeal.types import PLAIN_FORM, Demonstration, Reply, Usage

SPEC = Spec(name="t", description="Happy?", labels={"angry": "", "happy": "a smile"}, text_columns=["text"])
TEXTS = [f"{'unsure' if number % 3 else 'good good'} thing {number}" for number in range(24)]
UNSURE = [text for text in TEXTS if "unsure" in text]
FORM = "Review: {text}\nMood: {label}"
PRICES = {"script-1": Price(input=1.0, output=2.0)}


@pytest.fixture
def classifier():
    """Knows good and bad; of other words it is not sure, and it promises to be."""
    data = LabelledTexts(["good good", "bad bad"], [1, 0])
    student = TinyTrainer().fit(data, labels=("angry", "happy"), seed=0, on_step=lambda done, total: None).student
    promise = {"scope": "all", "labels": {"": {"threshold": 0.6}}}
    return Classifier(student, {"text_columns": ["text"], "promise": promise}, identity="m1")


@pytest.fixture
def job(tmp_path):
    """In windows of five rows."""
    path = tmp_path / "new.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["id", "text"], *enumerate(TEXTS)])
    settings = PredictSettings(chunk_rows=5)
    return PredictionJob(model=tmp_path, input_csv=path, output_csv=tmp_path / "out.csv", settings=settings)


@pytest.fixture
def version(tmp_path):
    """The folder of the model's version."""
    folder = tmp_path / "version"
    folder.mkdir()
    return folder


@pytest.fixture
def asker(tmp_path, version):
    """Who asks `model`, within `usd`."""

    def make(model, usd=1.0):
        told = AskBelowPromise(
            payer="p", answers=tmp_path / "answers.sqlite", cache=tmp_path, key_folder=tmp_path,
            llm=LlmSettings(budget_usd=usd, prices=PRICES, concurrency=1),
        )  # fmt: skip
        shown = (Demonstration("a smile", "happy", "student", 0),)
        return BelowPromise(told, version, SPEC, shown, chat_model=model, at_once=2)

    return make


def _model(label="happy"):
    return ScriptedModel(lambda _: json.dumps({"label": label, "confidence": 0.7}))


def _rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_only_rows_below_the_promise_are_asked_and_marked(job, classifier, asker, version):
    """With the task, the meanings and the demonstrations; the promise still does not hold for them; what was said is
    kept for the next version, with the row's cells."""
    model = _model()
    summary = predict_csv(job, classifier=classifier, ask=asker(model))
    rows = _rows(job.output_csv)
    assert UNSURE == [text_of(prompt.specific) for prompt in model.prompts]
    assert all(
        "happy: a smile" in prompt.shared and "<text>a smile</text>" in prompt.shared for prompt in model.prompts
    )
    asked = [row for row in rows if row["text"] in UNSURE]
    assert {("happy", "below_promise;asked", "llm")} == {
        (row["freeal_label"], row["freeal_status"], row["freeal_source"]) for row in asked
    }
    assert all(row["freeal_confidence"] == row["freeal_p_happy"] for row in asked)
    others = [row for row in rows if row["text"] not in UNSURE]
    assert {("happy", "ok", "student")} == {
        (row["freeal_label"], row["freeal_status"], row["freeal_source"]) for row in others
    }
    assert (len(UNSURE), len(TEXTS), "below_promise" in summary) == (
        summary["asked"],
        summary["label_counts"]["happy"],
        False,
    )
    assert ("scripted/script-1", True) == (summary["asked_of"], 0.0 < summary["asked_usd"] < 1.0)
    kept = asked_texts.read_asked_texts(version)
    assert set(UNSURE) == {one.text for one in kept}
    assert ({"text": UNSURE[0]}, "happy", 0.7) == (kept[0].values, kept[0].label, kept[0].confidence)


def test_without_leave_to_ask_nothing_changes(job, classifier, asker):
    """No column more, no call, no label below the promise."""
    summary = predict_csv(job, classifier=classifier)
    rows = _rows(job.output_csv)
    assert ("freeal_source" in rows[0], len(UNSURE)) == (False, summary["below_promise"])
    classifier.extra.pop("promise")
    model = _model()
    predict_csv(job, classifier=classifier, ask=asker(model))
    assert ([], True) == (model.calls, "freeal_status" not in _rows(job.output_csv)[0])


@pytest.mark.parametrize("steps", [1, 3])
def test_what_was_cut_off_is_gone_on_with_and_paid_once(job, classifier, asker, version, steps):
    """After any window, and in the middle of one: output, kept answers and bill are those of an undisturbed run."""
    model = _model()
    summary = predict_csv(job, classifier=classifier, ask=asker(model))
    expected, kept = job.output_csv.read_bytes(), asked_texts.read_asked_texts(version)
    job.output_csv.unlink()
    (version / asked_texts.FILE_NAME).unlink()
    (version.parent / "answers.sqlite").unlink()
    model = _model()
    with PredictionRun(job, classifier, ask=asker(model)) as run:
        assert all(run.step() for _ in range(steps))
        looks = iter([True, False])
        run.ask_while(lambda: next(looks, False))
        done = run.progress.done
        assert run.step()  # some of its rows are asked, none is written
        assert done == run.progress.done
    with PredictionRun(job, classifier, ask=asker(model)) as run:
        while run.step():
            pass
    with PredictionRun(job, classifier, ask=asker(model)) as run:  # cut off before the output had its name
        found = run.finish() if not run.step() else None
        run.forget()
    assert (expected, kept) == (job.output_csv.read_bytes(), asked_texts.read_asked_texts(version))
    assert {**summary, "seconds": 0} == {**found, "seconds": 0}
    assert len(UNSURE) == len(model.calls)


def test_the_cap_is_kept_and_says_so_in_the_rows(job, classifier, asker):
    """What it leaves has no label, and the reason; with nothing to spend nobody is asked."""
    model = _model()
    summary = predict_csv(job, classifier=classifier, ask=asker(model, usd=0.0042))
    rows = _rows(job.output_csv)
    left = [row for row in rows if row["freeal_status"] == "below_promise;budget"]
    assert 0 < len(left) < len(UNSURE)
    assert {("", "")} == {(row["freeal_label"], row["freeal_source"]) for row in left}
    assert (len(left), True) == (summary["below_promise"], summary["asked_usd"] <= 0.0042)
    model = _model()
    predict_csv(job, classifier=classifier, ask=asker(model, usd=0.0))
    assert [] == model.calls


def test_a_language_model_that_cannot_be_reached_costs_its_rows_alone(job, classifier, asker, version):
    """It is asked no more, and the table is labelled."""
    model = ScriptedModel(lambda _: AccountError("the key is not valid"))
    summary = predict_csv(job, classifier=classifier, ask=asker(model))
    rows = _rows(job.output_csv)
    assert (len(UNSURE), True) == (summary["below_promise"], len(model.calls) <= 2)
    assert len(UNSURE) == sum(row["freeal_status"] == "below_promise;api_error" for row in rows)
    assert [] == asked_texts.read_asked_texts(version)


@pytest.mark.parametrize(("error", "is_kept"), [(CredentialsError("no key"), True), (InputError("a bad row"), False)])
def test_what_is_no_fault_of_the_table_leaves_its_rows(job, classifier, asker, monkeypatch, error, is_kept):
    """A key that is not there any more when a run is gone on with does not cost the rows that were done before."""
    with PredictionRun(job, classifier, ask=asker(_model())) as run:
        assert run.step()
    ask = asker(_model())
    monkeypatch.setattr(ask, "ask", lambda rows, go_on: _raise(error))
    with pytest.raises(type(error)):
        predict_csv(job, classifier=classifier, ask=ask)
    assert is_kept == job.output_csv.with_name(".out.csv.part").exists()
    assert not job.output_csv.exists()


def _raise(error):
    raise error


def test_a_version_says_in_which_form_it_was_asked(version):
    """One from before there were others was asked in the plain one; a model that follows instructions in none."""
    told = {"provider": "local", "model": "m", "style": "completion"}
    for more, form in (
        ({}, PLAIN_FORM),
        ({"form": "A {text}\nB {label}"}, "A {text}\nB {label}"),
        ({"style": "chat"}, None),
    ):
        (version / "answers.json").write_text(json.dumps({"llm": told | more, "demonstrations": []}), encoding="utf-8")
        assert form == previous_version.how_it_asked(version)[0].form
    (version / "answers.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CorruptModelError, match="does not say how it was asked"):
        previous_version.how_it_asked(version)


def test_a_classifier_without_its_version_is_told_what_to_do(classifier, asker, tmp_path):
    """Who annotates stands in the version."""
    told = asker(_model())._told
    with pytest.raises(ConfigError, match="not beside its version"):
        BelowPromise.of(told, classifier, tmp_path)


def test_a_model_that_scores_labels_is_asked_in_the_form_of_its_version(classifier, asker, version, job):
    """Unless the settings fix another one; a model that writes has none."""
    (version / "model").mkdir()
    answers = {"llm": {"provider": "local", "model": "m", "style": "completion", "form": FORM}, "demonstrations": []}
    told = {"run.json": {"spec": SPEC.model_dump(mode="json")}, "answers.json": answers, "metrics.json": {}}
    for name, content in (told | {"model/freeal.json": {}}).items():
        (version / name).write_text(json.dumps(content))
    rows = [AskedRow(text, {"text": text}, "angry") for text in UNSURE[:2]]

    def asked(style, form):
        reply = Reply(scores=(-1.0, -2.0), usage=Usage(calls=1)) if style == "completion" else '{"label": "happy"}'
        model = ScriptedModel(lambda _: reply, style=style)
        given = asker(model)._told
        given = given.model_copy(update={"llm": given.llm.model_copy(update={"form": form})})
        with contextlib.closing(BelowPromise.of(given, classifier, version, chat_model=model)) as ask:
            ask.ask(rows, lambda: True)
            ask.keep()
        return model.prompts[0].specific

    assert f"Review: {UNSURE[0]}\nMood:" == asked("completion", "auto")
    assert f"Note: {UNSURE[0]}\nKind:" == asked("completion", "Note: {text}\nKind: {label}")
    assert "Review:" not in asked("chat", "auto")


def test_who_annotated_the_version_is_asked_and_nobody_else(classifier, asker, version):
    """Where it was, nobody says here: one in this machine's memory would give other labels."""
    (version / "model").mkdir()
    told = {
        "run.json": {"spec": SPEC.model_dump(mode="json"), "settings": {"llm": {"base_url": "http://127.0.0.1:9/v1"}}},
        "answers.json": {"llm": {"provider": "openai", "model": "m", "style": "chat"}, "demonstrations": []},
        "metrics.json": {"llm": {"provider": "openai", "model": "theirs"}},
        "model/freeal.json": {},
    }
    for name, content in told.items():
        (version / name).write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="openai/theirs annotated this version"):
        BelowPromise.of(asker(_model())._told, classifier, version)


def test_a_line_that_a_crash_cut_off_costs_that_line_alone(version):
    """And not the one that is written after it."""
    one = asked_texts.AskedText("a", {"text": "a"}, "happy", 0.5, "angry")
    asked_texts.add_asked_texts(version, [one])
    with (version / asked_texts.FILE_NAME).open("ab") as stream:
        stream.write(b'{"text": "b", "val')
    other = asked_texts.AskedText("c", {"text": "c"}, "angry", 0.5, "angry")
    asked_texts.add_asked_texts(version, [other, other])
    assert [one, other] == asked_texts.read_asked_texts(version)
    assert re.fullmatch(rb"(\{[^\n]*\n){4}", (version / asked_texts.FILE_NAME).read_bytes())
