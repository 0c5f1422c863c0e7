"""A sentence against a model."""

from __future__ import annotations

import html
import re

import anyio
import pytest

from daemon.outbox.model_shelf import Shelf
from daemon.web.classify_in_child import MOST_WAITING
from freeal.settings import PredictSettings


@pytest.fixture
def visitor(stage):
    """A page with a model, its process for sentences under way."""
    stage.model(columns=("text", "<title>"))
    opened = stage.open()
    with stage.beside(stage.live.trial.run):
        yield opened


def test_the_models_opinion_is_shown(visitor):
    """Label, probabilities in order, what was typed still there; the second sentence finds the process warm."""
    for text, label, first in (("a good one", "good", "90.0 %"), ("<b>awful", "bad", "80.0 %")):
        page = visitor.post("/models/reviews/try", {"value0": text, "value1": ""}).text
        assert f"<strong>{label}</strong>" in page
        assert first == re.findall(r"([0-9.]+ %)</td>", page)[0]
        assert html.escape(text) in page
        assert "<b>" not in page


def test_of_a_tree_the_node_is_shown_that_it_is_sure_enough_of(visitor):
    """Beside the likeliest label below it; nothing of the kind for other labels."""
    page = visitor.post("/models/reviews/try", {"value0": "a tree", "value1": ""}).text
    for said in ("<strong>bad</strong>", "sure enough of <strong>a branch &lt;b&gt;</strong>, 95.0 %"):
        assert said in page, said
    assert "sure enough" not in visitor.post("/models/reviews/try", {"value0": "good", "value1": ""}).text


def test_an_empty_sentence_is_not_asked(visitor):
    """It says so."""
    answer = visitor.post("/models/reviews/try", {"value0": " \n", "value1": ""})
    assert (422, True) == (answer.status_code, "Type a text first" in answer.text)


def test_a_fault_and_a_death_of_the_process_are_told(visitor):
    """And the next sentence gets a new process."""
    assert "no such column" in visitor.post("/models/reviews/try", {"value0": "fault"}).text
    assert "killed by SIGKILL" in visitor.post("/models/reviews/try", {"value0": "crash"}).text
    assert "<strong>good</strong>" in visitor.post("/models/reviews/try", {"value0": "good"}).text


def test_one_who_may_only_look_tries_nothing(stage):
    """A sentence costs this machine's time."""
    stage.model()
    visitor = stage.open(host="0.0.0.0")  # noqa: S104
    assert 403 == visitor.post("/models/reviews/try", {"value0": "good"}).status_code
    assert "can only be looked at" in visitor.get("/models/reviews").text


def test_too_many_sentences_at_once_are_refused(stage):
    """Without a process to answer them, the queue fills; the one too many is told to come back."""
    stage.model()
    visitor = stage.open()
    trial, shelf = stage.live.trial, Shelf(stage.settings.models, "reviews")

    async def fill():
        async with anyio.create_task_group() as tasks:
            for _ in range(MOST_WAITING):
                tasks.start_soon(trial.classify_row, shelf, {"text": "good"}, PredictSettings())
            await anyio.wait_all_tasks_blocked()
            page = await visitor.ask("POST", "/models/reviews/try", data=data)
            tasks.cancel_scope.cancel()
            return page

    data = {"form_token": visitor.form_token(), "value0": "good"}
    assert "Several sentences wait already" in stage.portal.call(fill).text


def test_a_model_that_does_not_know_its_columns_offers_no_sentence(stage):
    """The page stands."""
    folder = stage.model()
    (folder / "model" / "freeal.json").write_text("{")
    visitor = stage.open()
    assert "does not say which columns" in visitor.get("/models/reviews").text
    assert 422 == visitor.post("/models/reviews/try", {"value0": "x"}).status_code
