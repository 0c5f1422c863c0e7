"""Reviewing on the live page: one row at a time, kept as it is said, handed in as files."""

from __future__ import annotations

import contextlib
import csv
import json
import re

import pytest
import yaml

from daemon.journal.job_record import State
from daemon.limits.daily_spend import Purse
from freeal.settings import LlmSettings, Price
from freeal.testing.server import MessagesServer

QUEUE, SHEET = "/models/reviews/review/queue", "/models/reviews/review/sheet"


@pytest.fixture
def visitor(reviewed):
    """Anna's browser."""
    opened = reviewed.stage.open()
    with reviewed.stage.beside(reviewed.stage.live.errands.run):
        yield opened


@pytest.fixture
def other(reviewed, visitor):
    """Another person's."""
    return reviewed.stage.visitor()


def _fields(page):
    return dict(re.findall(r'<input type="hidden" name="(number|key|seen|skipped|place)" value="([^"]*)"', page))


def _row(page):
    found = re.search(r'tabindex="-1">Row (\d+)', page)
    return int(found[1]) if found else None


def _say(visitor, path, *, seen=None, **said):
    page = visitor.get(path).text
    fields = {key: value.replace("&#34;", '"') for key, value in _fields(page).items()}
    return visitor.post(path.partition("?")[0] + "/say", {**fields, **said})


def _table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_queue_is_shown_row_by_row_with_every_opinion(visitor):
    """What is worth most first; text, both opinions, why, the nearest example, meanings and keys; escaped."""
    page = visitor.get(QUEUE).text
    assert 5 == _row(page)
    for said in ("text number 5 &lt;b&gt;", "looks wrong", "good: an example", "confidence 25 %", "it is fine"):
        assert said in page, said
    assert ['data-key="1"', 'data-key="2"'] == re.findall(r'data-key="\d"', page)
    assert 2 == _row(_follow(visitor, _say(visitor, QUEUE, label="bad")))


def _follow(visitor, answer):
    assert 303 == answer.status_code, answer.text
    return visitor.get(answer.headers["location"]).text


def test_an_answer_is_on_the_disk_and_undone_with_one_key(visitor, reviewed):
    """With the comment; the row that was undone is shown again, a reload shows the same row."""
    assert 303 == _say(visitor, QUEUE, label="bad", note="a second look").status_code
    line = json.loads((reviewed.folder / "review" / "answers.jsonl").read_text())
    assert ("bad", "a second look", 5, "answer") == (line["said"], line["note"], line["about"]["row"], line["do"])
    assert (2, 2) == (_row(visitor.get(QUEUE).text), _row(visitor.get(QUEUE).text))
    assert 5 == _row(_follow(visitor, visitor.post(QUEUE + "/undo")))
    assert "0 of 4 done" in visitor.get(QUEUE).text


def test_two_people_get_two_rows_and_hear_of_each_other(visitor, other):
    """Who answers a row that the other answered meanwhile is told, and may answer still."""
    visitor.post("/models/reviews/review/name", {"name": "Anna <x>"})
    first, second = visitor.get(QUEUE).text, other.get(QUEUE).text
    assert (5, 2) == (_row(first), _row(second))
    page = other.get(QUEUE + "?row=5").text
    assert "Anna x has this row" in page
    stale = _fields(page)
    _say(visitor, QUEUE, label="bad")
    told = other.post(QUEUE + "/say", {**stale, "label": "good"})
    assert (409, True, 5) == (told.status_code, "Anna x said" in told.text, _row(told.text))
    assert 303 == other.post(QUEUE + "/say", {**_fields(told.text), "label": "good"}).status_code
    assert "with somebody" in visitor.get(QUEUE).text


def test_skipped_rows_come_again_when_they_are_asked_for(visitor):
    """And not before."""
    for _ in range(4):
        _say(visitor, QUEUE, do="skip")
    page = visitor.get(QUEUE).text
    assert (None, True) == (_row(page), "Look at the 4 skipped" in page)
    assert 5 == _row(visitor.get(QUEUE + "?skipped=1").text)
    assert 2 == _row(_follow(visitor, _say(visitor, QUEUE + "?skipped=1", label="good")))


def test_corrections_become_a_file_after_what_it_does_was_said(visitor, reviewed):
    """How many rows, what changes, what is asked; handed in, they wait no longer."""
    _say(visitor, QUEUE, label="bad", note="n")
    _say(visitor, QUEUE, label="bad")
    page = visitor.get("/models/reviews/review").text
    for said in ("these 2 corrections", "2 texts in 2 rows", "1 confirms", "good → bad", "nothing is paid"):
        assert said in page, said
    assert [] == reviewed.dropped()
    _follow(visitor, visitor.post(QUEUE + "/hand-in"))
    [file] = reviewed.dropped()
    rows = _table(file)
    assert [("5", "text number 5 <b>", "bad", "n"), ("2", "text number 2 <b>", "bad", "")] == [
        (row["freeal_row"], row["text"], row["freeal_corrected"], row["freeal_comment"]) for row in rows
    ]
    page = visitor.get("/models/reviews/review").text
    assert (True, True, False) == (
        "waits to be taken" in page,
        "2</strong> of 2 rows" in page,
        "corrections</h3>" in page,
    )
    assert 409 == visitor.post(QUEUE + "/hand-in").status_code


def test_answers_of_a_job_that_failed_are_taken_back(visitor, reviewed):
    """While it runs they are not; nor while the file still lies there."""
    _say(visitor, QUEUE, label="bad")
    visitor.post(QUEUE + "/hand-in")
    [file] = reviewed.dropped()
    job = reviewed.stage.job(id="reviews-20251122-120000-000001-corrections", csv_name=file.name)
    take_back = {"file": file.name}
    assert 409 == visitor.post("/models/reviews/review/take-back", take_back).status_code
    reviewed.stage.journal.move(job.id, State.FAILED, error={"problem": "p", "where": {}, "hint": None})
    assert 409 == visitor.post("/models/reviews/review/take-back", take_back).status_code
    file.unlink()
    assert 303 == visitor.post("/models/reviews/review/take-back", take_back).status_code
    assert "this correction" in visitor.get("/models/reviews/review").text


def test_the_sheet_is_blind_and_ends_as_a_file(visitor, reviewed):
    """No opinion on it; `none of them` and `cannot say` beside the labels, a skip counts as the latter."""
    visitor.post("/models/reviews/review/sheet/draw", {"rows": "40"})
    page = visitor.get(SHEET).text
    assert 2 == _row(page)
    for opinion in ("confidence", "language model", "student", "looks wrong", "an example", "label now"):
        assert opinion not in page, opinion
    for said in ({"label": "good"}, {"do": "none"}, {"do": "skip"}, {"do": "unknown"}):
        _say(visitor, SHEET, **said)
    page = visitor.get("/models/reviews/review").text
    assert ("Count 3 answers" in page, "1 skipped line counts" in page) == (True, True)
    visitor.post(SHEET + "/hand-in")
    [file] = reviewed.dropped()
    assert [("2", "good"), ("4", "-"), ("6", "?"), ("8", "?")] == [
        (row["freeal_row"], row["freeal_certified"]) for row in _table(file)
    ]
    assert "Every line is filled in" in visitor.get(SHEET).text


def test_another_sheet_forgets_what_was_said_of_the_last(visitor, reviewed):
    """Only where that was ticked: a longer one keeps it."""
    path = reviewed.version / "to_draw.json"
    content = path.read_bytes()
    visitor.post("/models/reviews/review/sheet/draw", {"rows": "40"})
    _say(visitor, SHEET, label="good")
    path.write_bytes(content)
    visitor.post("/models/reviews/review/sheet/draw", {"rows": "60"})
    assert "1 of 4 done" in visitor.get(SHEET).text
    path.write_bytes(content)
    visitor.post("/models/reviews/review/sheet/draw", {"rows": "60", "anew": "1"})
    assert "0 of 4 done" in visitor.get(SHEET).text


def test_a_certified_figure_is_shown_and_no_other_accuracy(visitor, reviewed):
    """What nobody measured is said to be so, also where every line was `cannot say`."""
    page = visitor.get("/models/reviews/review").text
    assert ("Nobody measured" in page, "90.0 %" in page) == (True, False), "that accuracy is in metrics.json"
    metrics = json.loads((reviewed.version / "metrics.json").read_text())
    labels = {"rows": 12, "looked_at": 4, "accuracy": 0.75, "interval": [0.3, 0.95]}
    found = {"labels": labels, "student": labels, "more_rows": {"points": 3.0, "rows": 29}}
    (reviewed.version / "metrics.json").write_text(json.dumps({**metrics, "certified": found}))
    page = visitor.get("/models/reviews/review").text
    assert ("75.0 % (30.0-95.0)" in page, "look at 29 more rows" in page, "Nobody measured" in page) == (
        True,
        True,
        False,
    )
    none = {"rows": 12, "looked_at": 0}
    found |= {"labels": none, "student": none}
    (reviewed.version / "metrics.json").write_text(json.dumps({**metrics, "certified": found}))
    assert "Nobody measured" in visitor.get("/models/reviews/review").text


def test_rows_of_the_sheet_are_corrected_by_nobody(visitor, reviewed):
    """They leave the queue, and answers given before stay here: else the figure would be withdrawn."""
    _say(visitor, QUEUE, label="bad")
    _say(visitor, QUEUE, label="good")
    visitor.post("/models/reviews/review/sheet/draw", {"rows": "40"})
    page = visitor.get("/models/reviews/review").text
    assert ("this correction" in page, "1 answer is about a row of the blind sheet" in page) == (True, True)
    refused = visitor.get(QUEUE + "?row=2")
    assert (409, True) == (refused.status_code, "measures the model" in refused.text)
    visitor.post(QUEUE + "/hand-in")
    assert ["5"] == [row["freeal_row"] for row in _table(reviewed.dropped()[0])]


def test_no_sheet_is_drawn_while_a_job_of_the_model_runs(visitor, reviewed):
    """Both would write what was certified."""
    reviewed.stage.job(state=State.TRAINING)
    assert 409 == visitor.post("/models/reviews/review/sheet/draw", {"rows": "40"}).status_code
    assert 400 == visitor.post("/models/reviews/review/sheet/draw", {"rows": "3"}).status_code


def test_no_sheet_is_drawn_while_a_file_waits_to_be_taken(visitor):
    """It will be a job in a moment."""
    _say(visitor, QUEUE, label="bad")
    visitor.post(QUEUE + "/hand-in")
    assert 409 == visitor.post("/models/reviews/review/sheet/draw", {"rows": "40"}).status_code


def test_a_file_that_vanished_is_told_and_its_answers_may_be_taken_back(visitor, reviewed):
    """No job knows of it: nobody can say what became of it."""
    _say(visitor, QUEUE, label="bad")
    visitor.post(QUEUE + "/hand-in")
    [file] = reviewed.dropped()
    file.unlink()
    assert "is not there any more" in visitor.get("/models/reviews/review").text
    assert 303 == visitor.post("/models/reviews/review/take-back", {"file": file.name}).status_code
    assert 409 == visitor.post("/models/reviews/review/take-back", {"file": "other.csv"}).status_code


def test_another_version_does_not_get_answers_for_the_last(visitor, reviewed):
    """A form of a row that is another one by now is refused."""
    fields = _fields(visitor.get(QUEUE).text)
    assert 409 == visitor.post(QUEUE + "/say", {**fields, "number": "7", "label": "bad"}).status_code
    assert 400 == visitor.post(QUEUE + "/say", {**fields, "label": "elsewhere"}).status_code


def test_rules_for_a_model_that_scores_labels_are_warned_of(visitor, reviewed):
    """Before anything is written, on the question itself."""
    path = reviewed.version / "metrics.json"
    metrics = json.loads(path.read_text())
    path.write_text(json.dumps(metrics | {"llm": metrics["llm"] | {"form": "plain"}}))
    assert "The language model of this version scores labels" in visitor.get("/models/reviews/review/boundaries").text


def test_boundary_answers_are_quoted_before_they_are_handed_in(visitor, reviewed):
    """Real texts of both sides; the difference in the spec and the cost; then YAML that the command line reads."""
    base = "/models/reviews/review/boundaries"
    page = visitor.get(base).text
    for said in ("good or bad?", "text number 3", "text number 4", "it is fine"):
        assert said in page, said
    fields = {key: value.replace("&#34;", '"') for key, value in _fields(page).items()}
    assert 400 == visitor.post(base + "/say", fields).status_code
    answer = visitor.post(base + "/say", {**fields, "is0": "praise", "is_not1": "x", "goes_to1": "good"})
    changes = _follow(visitor, visitor.get(_follow_to(visitor, answer)))
    for said in ("<ins>is praise</ins>", "5</strong> of 12 texts", "$0.25", "It &lt;b&gt;scores&lt;/b&gt;."):
        assert said in changes, said
    assert [] == reviewed.dropped()
    visitor.post(base + "/hand-in")
    [file] = reviewed.dropped()
    assert file.name.endswith("boundaries.yaml")
    [pair] = yaml.safe_load(file.read_text())["pairs"]
    assert {"is": "praise", "is_not": "", "goes_to": ""} == pair["answer"]["good"]
    assert {"is": "", "is_not": "x", "goes_to": "good"} == pair["answer"]["bad"]
    assert "handed in" in visitor.get("/models/reviews/review").text
    assert "Every question was answered" in visitor.get(base).text


PRICES = {"m": Price(input=1.0, output=2.0)}


@contextlib.contextmanager
def _with_language_model(reviewed, **llm):
    """The page beside a server that proposes; gives browser and server."""
    with MessagesServer(answer=lambda _: "good") as server:
        told = {"provider": "openai", "base_url": server.base_url + "/v1", "model": "m", "prices": PRICES, **llm}
        settings = reviewed.stage.settings
        reviewed.stage.settings = settings.model_copy(update={"llm": LlmSettings(**told)})
        visitor = reviewed.stage.open()
        with reviewed.stage.beside(reviewed.stage.live.errands.run):
            yield visitor, server


def test_proposals_are_asked_for_after_their_cost_was_shown_and_taken_with_a_key(reviewed, monkeypatch):
    """Nobody is asked by a look; the bill stands in the books of the day; a rule taken is the answer. The process that
    asks is told the provider's key."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    base = "/models/reviews/review/boundaries"
    with _with_language_model(reviewed, daily_budget_usd=1.0) as (visitor, server):
        page = visitor.get(base).text
        assert ("Let openai/m propose answers" in page, "at most" in page, []) == (True, True, server.requests)
        page = _follow(visitor, visitor.post(base + "/propose"))
        for said in ("Proposed by openai/m", "is rule 1", 'data-key="2"', "Or in your own words:"):
            assert said in page, said
        purse = Purse(reviewed.stage.journal, reviewed.stage.clock)
        [request] = server.requests
        assert "Bearer sk-planted" in request.headers.values()
        assert (True, {}) == (0.0 < purse.spent_today_usd() < 0.05, purse.reserved())
        assert 409 == visitor.post(base + "/propose").status_code  # every question has its proposals
        fields = {key: value.replace("&#34;", '"') for key, value in _fields(page).items()}
        assert 404 == visitor.post(base + "/say", {**fields, "do": "take 3"}).status_code
        changes = _follow(
            visitor, visitor.get(_follow_to(visitor, visitor.post(base + "/say", {**fields, "do": "take 2"})))
        )
        assert "<ins>is rule 2</ins>" in changes
        visitor.post(base + "/hand-in")
    [pair] = yaml.safe_load(reviewed.dropped()[0].read_text())["pairs"]
    assert {"is": "rule 2", "is_not": "what only looks like it", "goes_to": "bad"} == pair["answer"]["good"]


def test_no_proposal_is_bought_once_the_money_of_the_day_is_spent(reviewed):
    """It says so, and nobody was asked."""
    base = "/models/reviews/review/boundaries"
    with _with_language_model(reviewed, daily_budget_usd=0.5) as (visitor, server):
        Purse(reviewed.stage.journal, reviewed.stage.clock).book_spend("reviews-1", 0.5)
        visitor.get(base)
        answer = visitor.post(base + "/propose")
        assert (409, True) == (answer.status_code, "money of the day" in answer.text)
        assert [] == server.requests


def test_without_a_model_that_writes_the_page_says_why_nothing_is_proposed(visitor):
    """And is otherwise what it was."""
    page = visitor.get("/models/reviews/review/boundaries").text
    assert ("writes no sentences" in page, "What decides?" in page) == (True, True)
    assert 409 == visitor.post("/models/reviews/review/boundaries/propose").status_code


def _follow_to(visitor, answer):
    assert 303 == answer.status_code, answer.text
    return answer.headers["location"]


def test_one_who_may_only_look_sees_and_says_nothing(reviewed):
    """No button, no answer, and no row is taken."""
    onlooker = reviewed.stage.open(host="0.0.0.0")  # noqa: S104
    with reviewed.stage.beside(reviewed.stage.live.errands.run):
        page = onlooker.get(QUEUE).text
        assert (5, False) == (_row(page), 'name="label"' in page)
        assert 403 == onlooker.post(QUEUE + "/say", {"number": "5", "label": "bad"}).status_code
        assert 403 == onlooker.post(QUEUE + "/hand-in").status_code
        assert 200 == onlooker.get("/models/reviews/review").status_code
    assert not (reviewed.folder / "review").exists()


def test_a_model_that_is_not_there_or_not_finished_has_no_review(visitor, reviewed):
    """404 and 409, as pages."""
    assert 404 == visitor.get("/models/nothing/review").status_code
    assert 404 == visitor.get("/models/reviews/review/elsewhere").status_code
    (reviewed.stage.settings.models / "new").mkdir()
    assert 409 == visitor.get("/models/new/review").status_code


def test_what_takes_long_says_so_and_goes_on_by_itself(reviewed):
    """Without a process to prepare it, the page says what is being prepared."""
    visitor = reviewed.stage.open()
    reviewed.stage.live.errands.patience_seconds = 0.01
    answer = visitor.get(QUEUE)
    assert (202, True) == (answer.status_code, "rows of this version are being read" in answer.text)
    assert 409 == visitor.post(QUEUE + "/hand-in").status_code
