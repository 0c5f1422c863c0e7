"""The model card: metadata that others read, and words that stand alone."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest

from freeal.types import Status

huggingface_hub = pytest.importorskip("huggingface_hub")


@pytest.fixture
def card_of(publish):
    """The card of a run as huggingface_hub reads it."""
    return lambda run: huggingface_hub.ModelCard.load(publish(run) / "model" / "README.md")


def test_the_metadata_and_the_model_index_are_read_back(finish, publish):
    """Base model, task and the student's own accuracy, with the data it refers to."""
    folder = publish(finish())
    data = huggingface_hub.ModelCard.load(folder / "model" / "README.md").data
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert "sentence-transformers/all-MiniLM-L6-v2" == data.base_model
    assert ("text-classification", "transformers") == (data.pipeline_tag, data.library_name)
    assert ["accuracy", "f1"] == [result.metric_type for result in data.eval_results]
    kept = metrics["rounds"][metrics["kept_round"] - 1]
    assert kept["student_accuracy"] == data.eval_results[0].metric_value
    assert data.eval_results[0].dataset_name.startswith("in.csv")
    digest = hashlib.sha256(json.loads((folder / "run.json").read_text())["first_prompt"].encode()).hexdigest()
    assert digest in (folder / "model" / "README.md").read_text(encoding="utf-8")


def test_without_ground_truth_there_is_no_figure(finish, card_of):
    """No model-index, and the card says why."""
    card = card_of(finish(truth=False))
    assert card.data.eval_results is None
    assert "Accuracy unknown: no ground truth" in card.text
    assert "agree on" in card.text


def test_the_card_holds_no_row_and_keeps_markdown_whole(finish, card_of):
    """Labels and description can neither break the table nor bring HTML in; texts of rows do not appear."""
    labels = {"a|b": "<img src=x>\n\n# no heading", "c`d": "[x](http://y)"}
    rows = [(f"secret text {number}", "a|b") for number in range(30)]
    card = card_of(finish(rows, labels=labels, description="---\n# one\n<script>"))
    assert "secret text" not in card.text
    assert "\n| a\\|b | \\<img src=x\\> \\# no heading |\n" in card.text
    assert "<script>" not in card.text
    assert "\n--- \\# one" in card.text


def test_examples_by_a_person_are_not_passed_over(finish, card_of):
    """No label was trained on that a person gave; that a person wrote demonstrations is said."""
    said = "No human label was trained on."
    assert said in card_of(finish()).text


def test_demonstrations_by_a_person_are_named(finish, card_of):
    """Whoever reads the card knows that people had a hand in the prompts."""
    card = card_of(finish(examples=[["a good day", "happy"], ["a bad day", "angry"]]))
    assert "2 demonstrations in the prompts came from a person." in card.text


def test_labels_that_a_person_gave_are_named_and_not_counted(finish, card_of):
    """After corrections the card says so, and its accuracy leaves out what the student was told."""
    run = finish()
    best = run.result.best
    told = [
        dataclasses.replace(note, statuses=(Status.CORRECTED,)) if note.index < 5 else note for note in best.annotations
    ]
    result = dataclasses.replace(run.result, best=dataclasses.replace(best, annotations=tuple(told)))
    card = card_of(dataclasses.replace(run, result=result))
    assert "5 labels that a person gave were trained on." in card.text
    assert "No human label" not in card.text
    assert "on the 55 rows of" in card.text


def test_the_card_says_how_to_use_the_model_on_long_texts(finish, card_of):
    """The one page that travels with the folder: the pipeline needs `truncation=True`, and what is read of a text."""
    text = card_of(finish()).text
    assert 'pipeline("text-classification", model=".", truncation=True, max_length=' in text
    assert "Long texts need `truncation=True`" in text


def test_a_student_of_words_is_called_no_hugging_face_model(finish, publish):
    """No base model, no pipeline that would fail, and that its folder holds words of the texts."""
    card = huggingface_hub.ModelCard.load(publish(finish(), mode="tfidf") / "model" / "README.md")
    assert (None, None) == (card.data.base_model, card.data.library_name)
    assert "pipeline(" not in card.text
    assert "logistic regression on tf-idf" in card.text
    assert "`terms.json` holds words of the texts" in card.text


def test_labels_that_nobody_got_and_few_texts_are_weak_labels(finish, card_of):
    """A model that knows one of its labels alone says so, in place of `none stands out`."""
    rows = [(f"text {number}", "good") for number in range(7)]
    text = card_of(finish(rows, labels={"good": "", "bad": ""})).text
    weak = text.partition("## Known weak labels")[2].partition("##")[0]
    assert "only 7 distinct texts for 2 labels" in weak
    assert "'bad'" in weak
