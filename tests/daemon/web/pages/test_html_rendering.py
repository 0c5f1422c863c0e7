"""What the pages show."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from daemon.inbox.pairing import Waiting
from daemon.journal.job_record import State
from daemon.journal.prediction_record import Prediction
from daemon.limits.daily_spend import Purse

VERSION = "reviews-20251122-120000-abcdef"
NASTY = "<script>alert(1)<b>\"'&\n\r\x1b[31m\u202e\udcff.csv"


def test_an_empty_page_says_what_to_do(stage):
    """A first-time user reads where to drop which files."""
    text = stage.open().get("/").text
    assert str(stage.settings.inbox) in text
    assert "<code>reviews.csv</code> and <code>reviews.yaml</code>" in text
    assert 'data-list="jobs" aria-label="Jobs under way"></ul>' in text, "the empty list lets the explanation show"


def test_the_overview_shows_everything_there_is(stage):
    """Jobs with progress, failures with their reason, models, waiting files, money, predictions."""
    running = stage.job("running", state=State.ANNOTATING, round=2, stage="annotating", done=30, total=120, usd=0.1234)
    stage.job("paused", state=State.PAUSED, reason="no money", until=1_763_812_800.0)
    error = {"problem": "a quote is never closed", "where": {"file": "/x/bad.csv", "line": 7}, "hint": "close it"}
    stage.job("bad", state=State.FAILED, error=error)
    done = stage.job("done", state=State.DONE, partial=True)
    stage.model()
    stage.waiting = (Waiting("lonely.csv", "no spec: drop lonely.yaml beside it"),)
    Purse(stage.journal, stage.clock).book_spend(running.id, 1.5)
    stage.journal.add_prediction(
        Prediction(
            id="p1", model="reviews", csv_name="new.csv", state="done", rows=1200, created_at=1.0, updated_at=2.0
        )
    )
    text = stage.open().get("/").text
    assert 'max="120" value="30"' in text
    assert "round 2, annotating: 30 of 120" in text
    assert "2025-11-22 12:00 UTC" in text
    for piece in ("no money", "a quote is never closed", "/x/bad.csv, line 7", "close it", "lonely.csv"):
        assert piece in text
    for piece in ("90.0 %", "$1.50", "1,200 rows", "stopped at its budget", done.id, "1 running, 0 in the queue"):
        assert piece in text


def test_two_hundred_jobs_are_on_the_page(stage):
    """Those that run stand first."""
    for number in range(200):
        stage.job(f"m{number:03d}", created_at=float(number))
    stage.job("runs", state=State.TRAINING, stage="training", done=1, total=2, created_at=999.0)
    text = stage.open().get("/").text
    assert 201 == text.count('data-part="job-')
    assert text.index(">runs</a>") < text.index(">m000</a>")


def test_all_jobs_are_listed_page_by_page(stage):
    """Newest first; a page that is not there says so."""
    for number in range(120):
        stage.job(f"m{number:03d}", state=State.DONE, updated_at=float(number))
    visitor = stage.open()
    first, third = visitor.get("/jobs").text, visitor.get("/jobs?page=3").text
    assert "m119-" in first
    assert "Older" in first
    assert "m000-" in third
    assert "Older" not in third
    for odd in ("0", "-1", "x", "99999999999999999999", "²"):
        assert "m119-" in visitor.get(f"/jobs?page={odd}").text
    assert "none on this page" in visitor.get("/jobs?page=77").text


def test_a_jobs_page_shows_it_and_offers_what_can_be_done(stage):
    """A job under way can be cancelled, a failed one retried, a finished one neither."""
    spec = json.dumps({"name": "a", "description": "What is felt", "labels": {"joy": "glad", "woe": ""}})
    running = stage.job("a", state=State.TRAINING, spec=spec)
    failed = stage.job("b", state=State.FAILED, error={"problem": "broken", "problems": [{"problem": "x"}] * 3})
    done = stage.job("c", state=State.DONE)
    visitor = stage.open()
    text = visitor.get(f"/jobs/{running.id}").text
    assert "What is felt" in text
    assert "glad" in text
    assert "Cancel this job" in text
    assert "Retry" not in text
    text = visitor.get(f"/jobs/{failed.id}").text
    assert "broken" in text
    assert "All 3 problems" in text
    assert "Retry" in text
    assert "Cancel this job" not in text
    text = visitor.get(f"/jobs/{done.id}").text
    assert "Retry" not in text
    assert "Cancel this job" not in text
    assert 404 == visitor.get("/jobs/none").status_code


def test_a_request_that_makes_no_sense_is_told_so(stage):
    """Retry of a finished job."""
    done = stage.job(state=State.DONE)
    answer = stage.open().post(f"/jobs/{done.id}/retry")
    assert 409 == answer.status_code
    assert "nothing to retry" in answer.text


def test_a_retry_is_asked_for(stage):
    """As on the command line: written in the journal, done by the daemon."""
    failed = stage.job(state=State.FAILED)
    assert 303 == stage.open().post(f"/jobs/{failed.id}/retry").status_code
    assert "retry" == stage.journal.job(failed.id).request


def test_texts_and_names_from_outside_are_escaped(stage):
    """Markup, line breaks and what no UTF-8 can hold, in every place a name or text of others is shown."""
    text = NASTY.replace("\udcff", "")
    error = {"problem": text, "where": {"file": text}, "hint": text, "problems": [{"problem": text}] * 2}
    job = stage.job("a", csv_name="<b>.csv", state=State.FAILED, error=error)
    stage.job("b", state=State.PAUSED, reason="<i>", spec="")
    stage.waiting = (Waiting(NASTY, "<u>reason"),)
    folder = stage.model(columns=("<th>",))
    (folder / "predictions" / NASTY).write_text("x\n")
    (stage.settings.models / "<img src=x>").mkdir()
    visitor = stage.open()
    for path in ("/", "/jobs", f"/jobs/{job.id}", "/models/reviews"):
        text = visitor.get(path).text
        for piece in ("<script>alert", "<b>", "<i>", "<u>", "<img", "\x1b", "\udcff", "<th>"):
            assert piece not in text.replace('<th scope="col">', "")
    assert "&lt;script&gt;alert(1)" in visitor.get("/").text


def test_a_models_page_shows_figures_versions_and_files(stage):
    """And where to drop more."""
    folder = stage.model()
    (folder / "predictions" / "new.csv").write_text("x\n")
    text = stage.open().get("/models/reviews").text
    for piece in (
        "final labels",
        "90.0 %",
        VERSION,
        "annotated.csv",
        "report.html",
        "new.csv",
        str(folder / "predict"),
    ):
        assert piece in text
    assert "review_queue.csv" not in text, "only what is there"


def test_a_model_without_a_version_has_a_page(stage):
    """A folder somebody made to predict in."""
    (stage.settings.models / "empty").mkdir()
    visitor = stage.open()
    assert "No finished version" in visitor.get("/models/empty").text
    assert "no finished version" in visitor.get("/").text
    assert 404 == visitor.get("/models/other").status_code


def test_figures_that_cannot_be_read_do_not_break_the_page(stage):
    """A damaged metrics.json is said, not thrown."""
    folder = stage.model()
    for content in ("{", "[]", '{"rows": 1}'):
        (folder / "versions" / VERSION / "metrics.json").write_text(content)
        visitor = stage.open()
        assert 200 == visitor.get("/").status_code
        assert "cannot be read" in visitor.get("/models/reviews").text
        stage.live.close()


def test_the_report_is_shown_with_no_rights(stage):
    """A sandbox without scripts, forms or our origin."""
    stage.model()
    answer = stage.open().get(f"/models/reviews/versions/{VERSION}/report.html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "allow" not in policy
    assert "script-src" not in policy
    assert "text/html; charset=utf-8" == answer.headers["content-type"]


@pytest.mark.parametrize("name", ["annotated.csv", "metrics.json"])
def test_files_are_downloads(stage, name):
    """A browser never shows them as pages of ours."""
    stage.model()
    answer = stage.open().get(f"/models/reviews/versions/{VERSION}/{name}")
    assert 200 == answer.status_code
    assert f'attachment; filename="reviews-{name}"' == answer.headers["content-disposition"]
    assert "html" not in answer.headers["content-type"]
    assert "no-store" == answer.headers["cache-control"]


def test_the_model_comes_as_a_zip(stage):
    """Every file, byte for byte."""
    folder = stage.model()
    answer = stage.open().get(f"/models/reviews/versions/{VERSION}/model.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert None is archive.testzip()
        assert ["reviews/freeal.json", "reviews/model.safetensors"] == sorted(archive.namelist())
        weights = (folder / "model" / "model.safetensors").read_bytes()
        assert weights == archive.read("reviews/model.safetensors")


def test_a_labelled_file_of_any_name_can_be_downloaded(stage):
    """By its key: the name itself never stands in an address."""
    folder = stage.model()
    (folder / "predictions" / NASTY).write_text("text\nfine\n")
    visitor = stage.open()
    page = visitor.get("/models/reviews").text
    key = page.partition("/models/reviews/predictions/")[2].partition('"')[0]
    answer = visitor.get(f"/models/reviews/predictions/{key}")
    assert "text\nfine\n" == answer.text
    assert answer.headers["content-disposition"].startswith("attachment; filename")


def test_static_files_may_be_kept(stage):
    """Pages name them with a digest."""
    visitor = stage.open()
    answer = visitor.get("/static/page.css")
    assert "immutable" in answer.headers["cache-control"]
    assert "text/css; charset=utf-8" == answer.headers["content-type"]
    assert 404 == visitor.get("/static/nothing").status_code


def test_what_is_not_there_is_a_page(stage):
    """With a way back."""
    answer = stage.open().get("/nothing")
    assert 404 == answer.status_code
    assert 'href="/"' in answer.text
