"""Labels of a model changed in its spec: what must be asked again is asked, the rest is kept."""

from __future__ import annotations

import csv
import json

import anyio
import pytest

from freeal.cost_estimate.job_estimate import estimate_job
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.results import previous_version
from freeal.spec.job_spec import Spec
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.testing.server import MessagesServer
from freeal.types import Reply

COUNT = 60
LABELS = {"animal": "lives and moves", "plant": "has leaves", "tool": "made by people"}
WORDS = ("a furry beast", "a green leaf", "a steel hammer")


def _text(number):
    return f"{'a furry cat' if number % 6 == 0 else WORDS[number % 3]}, number {number}"


def _said(text):
    for label, words in {"cat": ["cat"], "animal": ["furry"], "plant": ["leaf"]}.items():
        if any(word in text for word in words):
            return label
    return "tool"


class Things:
    """A model of three labels, and its next versions."""

    def __init__(self, folder, encoder):
        self.folder, self.encoder = folder, encoder
        with (folder / "things.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("id", "text"), *((one, _text(one)) for one in range(COUNT))])

    def job(self, name, labels, *, previous=None, address="http://127.0.0.1:9", pilot_rows=None, pilot=None, **spec):
        spec = {"description": "What is it?"} | spec
        made = Spec(
            name="things", labels=labels, text_columns=["text"], id_column="id", llm={"provider": "anthropic"},
            student={"model": str(self.encoder), "mode": "frozen"}, **spec,
        )  # fmt: skip
        return TrainingJob(
            job_id=name, csv=self.folder / "things.csv", spec=made, output=self.folder / name,
            work=self.folder / f"{name}-work", cache=self.folder, answers=self.folder / f"{name}.sqlite",
            key_folder=self.folder, llm={"base_url": address}, loop={"iterations": 1},
            previous_model=previous and self.folder / previous / "model", pilot_rows=pilot_rows, pilot=pilot,
        )  # fmt: skip

    def train(self, name, labels, **more):
        """Run it; gives its metrics and the texts that were asked about."""

        def answer(text):
            said = _said(text)
            return said if said in labels else next((one for one in labels if one.startswith(said[:3])), "animal")

        with MessagesServer(answer=answer) as server:
            job = self.job(name, labels, address=server.base_url, **more)
            outcome = anyio.run(lambda: train(job, api_key="sk-ant-test", environ={}))
            asked = {text_of(str(request.body["messages"])) for request in server.requests}
        return outcome.metrics, {text for text in asked if "number" in text}

    def labels_of(self, name):
        with (self.folder / name / "annotated.csv").open(encoding="utf-8", newline="") as stream:
            return [row["freeal_llm_label"] for row in csv.DictReader(stream)]


@pytest.fixture
def things(tmp_path, encoder_folder):
    """With a first version."""
    made = Things(tmp_path, encoder_folder)
    _, asked = made.train("one", LABELS)
    assert COUNT == len(asked)
    return made


def test_a_new_name_is_free(things):
    """Nothing is asked, every row has the new name, and the report says so."""
    renamed = {"beast": "lives and moves", "plant": "has leaves", "tool": "made by people"}
    metrics, asked = things.train("two", renamed, previous="one")
    assert set() == asked
    assert {"moved": {"animal": "beast"}, "asked": 0, "kept": COUNT}.items() <= metrics["label_changes"].items()
    before, now = things.labels_of("one"), things.labels_of("two")
    assert ["beast" if label == "animal" else label for label in before] == now
    assert "animal is called beast" not in json.dumps(metrics)


def test_a_version_that_asked_nothing_still_knows_the_form_of_the_one_before(tmp_path, encoder_folder):
    """Whoever asks on behind it asks in that form."""
    made, form = Things(tmp_path, encoder_folder), "Thing: {text}\nKind: {label}"
    model = ScriptedModel(
        lambda prompt: Reply(
            scores=tuple(-1.0 if name[0] == _said(prompt.specific)[0] else -5.0 for name in prompt.labels)
        ),
        style="completion",
    )
    for name, labels, previous, fixed in (
        ("one", LABELS, None, form),
        ("two", {"ape": LABELS["animal"], "plant": LABELS["plant"], "tool": LABELS["tool"]}, "one", "auto"),
    ):
        job = made.job(name, labels, previous=previous)
        job = job.model_copy(update={"llm": job.llm.model_copy(update={"form": fixed})})
        asked_before = len(model.prompts)
        metrics = anyio.run(lambda job=job: train(job, chat_model=model, environ={})).metrics
        assert (form, previous is None) == (metrics["llm"]["form"], len(model.prompts) > asked_before)
    assert form == previous_version.how_it_asked(tmp_path / "two")[0].form


def test_a_split_asks_the_rows_of_the_label_that_was_split(things):
    """The quote says how many, and the moves are told from the label before to the one now."""
    labels = {"animal": "lives and moves, no cat", "cat": "a cat", "plant": "has leaves", "tool": "made by people"}
    more = {"previous": "one", "label_changes": {"animal": ["animal", "cat"]}}
    animals = {_text(n) for n, label in enumerate(things.labels_of("one")) if label == "animal"}
    quoted = anyio.run(lambda: estimate_job(things.job("two", labels, **more), environ={"ANTHROPIC_API_KEY": "x"}))
    metrics, asked = things.train("two", labels, **more)
    assert animals <= asked
    assert len(asked) < COUNT
    assert len(asked) == metrics["label_changes"]["asked"] == int(quoted.calls.low)
    assert any(f"{len(asked)} texts can get another one" in note for note in quoted.warnings)
    cats = [label for number, label in enumerate(things.labels_of("two")) if number % 6 == 0]
    assert {"cat"} == set(cats)
    moved = {(one["from"], one["to"]): one["rows"] for one in metrics["corrections"]["flipped"]["moves"]}
    assert moved["animal", "cat"] > 0
    page = (things.folder / "two" / "report.html").read_text()
    assert "Moves since the version before" in page
    assert "animal was split into animal and cat" in page


@pytest.mark.parametrize("other", [{"description": "Which kind?"}, {"force": True}])
def test_another_question_asks_everything(things, other):
    """A changed description changes what every label means; `force` says so."""
    renamed = {"beast": "lives and moves", "plant": "has leaves", "tool": "made by people"}
    metrics, asked = things.train("two", renamed, previous="one", **other)
    assert COUNT == len(asked)
    assert "label_changes" not in metrics


def test_a_change_that_leads_nowhere_is_refused():
    """With the nearest label."""
    fields = {"name": "a", "description": "d", "labels": ["refund", "other"]}
    with pytest.raises(ValueError, match="became 'refunds', which is none of the labels; did you mean 'refund'"):
        Spec(**fields, label_changes={"money": "refunds"})
    assert {"money": ("refund",)} == Spec(**fields, label_changes={"money": "refund"}).label_changes


def test_a_pilot_of_changed_labels_keeps_what_it_can(things):
    """Neither the pilot nor the rest behind it asks what an earlier version answered, and the change is told."""
    renamed = {"beast": "lives and moves", "plant": "has leaves", "tool": "made by people"}
    _, asked = things.train("pilot", renamed, previous="one", pilot_rows=24)
    assert set() == asked
    metrics, asked = things.train("rest", renamed, previous="one", pilot=things.folder / "pilot")
    assert set() == asked
    assert {"animal": "beast"} == metrics["label_changes"]["moved"]
