"""Labels for programs: /api/models/<name>/predict, and the document that describes it."""

from __future__ import annotations

import json
import subprocess
import sys

import anyio
import pytest

from daemon.outbox.model_shelf import Shelf
from daemon.web.classify_in_child import MOST_WAITING
from daemon.web.pages.openapi_document import MOST_ROWS
from freeal.settings import PredictSettings

PATH = "/api/models/reviews/predict"


@pytest.fixture
def visitor(stage):
    """A page with a model that reads one column and one that reads two; its process under way."""
    stage.model()
    stage.model("mails", columns=("subject", "body"))
    opened = stage.open()
    with stage.beside(stage.live.trial.run):
        yield opened


def _ask(visitor, content, *, path=PATH, **headers):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return visitor.send("POST", path, content=body, headers={"Content-Type": "application/json", **headers})


def test_texts_get_labels_and_probabilities(visitor):
    """One prediction per text, in order, and which version said so. No form is needed."""
    answer = _ask(visitor, {"texts": ["a good one", "awful"]})
    found = answer.json()
    assert 200 == answer.status_code
    assert ["good", "bad"] == [one["label"] for one in found["predictions"]]
    assert {"good": 0.9, "bad": pytest.approx(0.1)} == found["predictions"][0]["probabilities"]
    assert ("reviews", True) == (found["model"], found["version"].startswith("reviews-"))


def test_records_are_for_models_of_several_columns(visitor):
    """Columns the model does not read are left out; one it lacks is named."""
    path = "/api/models/mails/predict"
    record = {"subject": "good", "body": "x", "id": "7"}
    assert ["good"] == [one["label"] for one in _ask(visitor, {"records": [record]}, path=path).json()["predictions"]]
    assert "lacks 'body'" in _ask(visitor, {"records": [{"subject": "x"}]}, path=path).json()["error"]
    assert "send `records`" in _ask(visitor, {"texts": ["x"]}, path=path).json()["error"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b'{"texts": [NaN]}', 400),
        ([], 422),
        ({}, 422),
        ({"texts": []}, 422),
        ({"texts": "a"}, 422),
        ({"texts": [1]}, 422),
        ({"texts": ["x" * 20_001]}, 422),
        ({"texts": ["x"] * (MOST_ROWS + 1)}, 422),
        ({"texts": ["x"], "records": []}, 422),
        ({"records": ["x"]}, 422),
        ({"records": [{"text": 7}]}, 422),
        ({"records": [{}]}, 409),
        (b"[" * 100_000, 400),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(visitor, content, status):
    """As JSON, whatever was sent."""
    answer = _ask(visitor, content)
    assert (status, True) == (answer.status_code, bool(answer.json()["error"]))


def test_other_bodies_models_and_methods_are_refused(visitor):
    """By the codes the document names."""
    assert 415 == visitor.send("POST", PATH, content=b"texts=x").status_code
    assert 404 == _ask(visitor, {"texts": ["x"]}, path="/api/models/nothing/predict").status_code
    wrong = visitor.get(PATH)
    assert (405, "POST") == (wrong.status_code, wrong.headers["allow"])


def test_it_asks_for_the_token_where_one_is_set(stage, tmp_path):
    """The same guard as for every button; another site's request is refused even where there is none."""
    (tmp_path / "token").write_text("a-token-of-some-length")
    stage.model()
    visitor = stage.open(token_file=tmp_path / "token")
    with stage.beside(stage.live.trial.run):
        assert 403 == _ask(visitor, {"texts": ["good"]}).status_code
        assert 200 == _ask(visitor, {"texts": ["good"]}, Authorization="Bearer a-token-of-some-length").status_code
    assert [{"token": []}] == visitor.get("/api/openapi.json").json()["paths"][_TEMPLATE]["post"]["security"]
    foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    assert 403 == _ask(visitor, {"texts": ["good"]}, **foreign).status_code


_TEMPLATE = "/api/models/{name}/predict"


def test_one_request_too_many_is_told_to_come_back(stage):
    """Where nobody answers, the queue fills."""
    stage.model()
    visitor = stage.open()
    trial, shelf = stage.live.trial, Shelf(stage.settings.models, "reviews")

    async def fill():
        async with anyio.create_task_group() as tasks:
            for _ in range(MOST_WAITING):
                tasks.start_soon(trial.classify_rows, shelf.model, [{"text": "x"}], PredictSettings())
            await anyio.wait_all_tasks_blocked()
            headers = {"Content-Type": "application/json"}
            answer = await visitor.ask("POST", PATH, content=b'{"texts": ["x"]}', headers=headers)
            tasks.cancel_scope.cancel()
            return answer

    answer = stage.portal.call(fill)
    assert (503, "2") == (answer.status_code, answer.headers["retry-after"])


def test_models_are_listed_with_what_they_read(visitor):
    """So a program finds its way."""
    found = {one["name"]: one["text_columns"] for one in visitor.get("/api/models").json()["models"]}
    assert {"reviews": ["text"], "mails": ["subject", "body"]} == found


def test_the_document_is_kept(stage):
    """schemathesis sends what it allows and what it forbids to a page at a real address; every answer stands in it."""
    stage.model()
    stage.model("mails", columns=("subject", "body"))
    stage.follow_time()
    stage.open()
    with stage.beside(stage.live.run):
        address = f"{stage.live.url}api/openapi.json"
        command = [sys.executable, "-m", "schemathesis.cli", "run", address, "--max-examples", "10", "--seed", "1"]
        done = subprocess.run(command, cwd=stage.root, capture_output=True, text=True, timeout=100, check=False)
    assert 0 == done.returncode, done.stdout[-3000:]
    assert "Tested: 5" in done.stdout
