"""A job's page: its life on one screen, its spec changed and run again, a failure put aside."""

from __future__ import annotations

import html
import json

import pytest
import yaml

from daemon.journal.job_history import History
from daemon.journal.job_record import State
from daemon.journal.work_folder import Workplace

CSV = "id,text\n1,a good one\n2,a bad one\n"
SPEC = "description: d\nlabels: [good, bad]\ntext_columns: [txt]\n"
ROUND = {"round": 1, "asked": 20, "changed": 3, "agreement": 0.9, "seconds": 61.0, "usd": 0.25, "clean": 10}


def _failed(stage, **fields):
    job = stage.job(state=State.FAILED, error={"problem": "has no column 'txt'"}, **fields)
    folder = Workplace(stage.settings, job.id).failed
    folder.mkdir(parents=True)
    (folder / "reviews.csv").write_text(CSV)
    (folder / "reviews.yaml").write_text(SPEC)
    return job, folder


def _done(stage):
    job = stage.job(state=State.DONE)
    folder = Workplace(stage.settings, job.id).done
    folder.mkdir(parents=True)
    (folder / "reviews.csv").write_text(CSV)
    (folder / "reviews.yaml").write_text(SPEC)
    return job, folder


def test_a_jobs_life_stands_on_one_screen(stage):
    """Its steps, the figures of finished rounds and what it said."""
    job = stage.job(state=State.TRAINING, stage="training", round=2, rounds=3, done=1, total=9, overall=0.4)
    history = History(stage.journal, stage.clock)
    history.add_entry(job.id, "stage", {"stage": "reading", "round": 0, "rounds": 0})
    history.add_entry(job.id, "stage", {"stage": "annotating", "round": 1, "rounds": 3})
    history.add_entry(job.id, "round", ROUND)
    history.add_entry(job.id, "stage", {"stage": "annotating", "round": 2, "rounds": 3})
    history.add_entry(job.id, "notice", {"message": "2 texts <b>stand</b> in several rows"})
    page = stage.open().get(f"/jobs/{job.id}").text
    steps = page.partition('<ol class="steps">')[2].partition("</ol>")[0]
    assert ["done", "done", "now", "todo", "todo"] == [
        part.partition('"')[0] for part in steps.split('<li class="')[1:]
    ]
    assert "round 3 of at most 3" in steps
    assert "90.0 %" in page
    assert "$0.25" in page
    assert "2 texts &lt;b&gt;stand" in page
    assert "language model right" not in page, "nobody measured it"


def test_rounds_with_known_truth_are_drawn(stage):
    """From the second round on, as lines with words."""
    job = stage.job(state=State.DONE)
    history = History(stage.journal, stage.clock)
    for number in (1, 2):
        measured = {"llm_accuracy": 0.7 + number / 100, "student_accuracy": 0.8}
        history.add_entry(job.id, "round", ROUND | measured | {"round": number})
    page = stage.open().get(f"/jobs/{job.id}").text
    assert 'aria-label="accuracy per round. language model: 71.0 %, 72.0 %; student: 80.0 %, 80.0 %."' in page


def test_a_failed_jobs_spec_is_mended_and_run_again_in_place(stage):
    """The file in failed/ is the one that was typed, and the job is asked to run again."""
    job, folder = _failed(stage)
    visitor = stage.open()
    assert "text_columns: [txt]" in visitor.get(f"/jobs/{job.id}").text
    mended = SPEC.replace("txt", "text") + "name: reviews\n"
    answer = visitor.post(f"/jobs/{job.id}/rerun", {"spec_text": mended.replace("\n", "\r\n")})
    assert 303 == answer.status_code
    assert mended == (folder / "reviews.yaml").read_text()
    assert "retry" == stage.journal.job(job.id).request


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("description: d\nlabels: [good]\n", "at least 2 labels"),
        (SPEC + "name: another\n", "another job"),
        ("labels: [", "line 1"),
    ],
)
def test_a_spec_that_is_still_wrong_changes_nothing_and_is_not_lost(stage, text, says):
    """It stands in the form again, below what is wrong with it."""
    job, folder = _failed(stage)
    answer = stage.open().post(f"/jobs/{job.id}/rerun", {"spec_text": text})
    assert 422 == answer.status_code
    assert says in answer.text
    assert text.splitlines()[0] in answer.text.partition("<textarea")[2]
    assert SPEC == (folder / "reviews.yaml").read_text()
    assert "" == stage.journal.job(job.id).request


SEVERAL = """description: d
kind: multi
labels: {a: one, b: ""}
label_column: tags
label_separator: "|"  # as the export writes it
text_columns: [text]
"""
TREE = """description: d
kind: tree
labels:
  billing:
    meaning: money & more
    labels: [refund, {late: has not come}]
  other: <the rest>
back_off: 0.8
text_columns: [text]
"""


@pytest.mark.parametrize("spec", [SEVERAL, TREE], ids=["multi", "tree"])
def test_a_spec_of_another_kind_comes_back_as_it_was_written(stage, spec):
    """Nothing of several labels or a tree is lost between the file, the page and the file again."""
    job, folder = _done(stage)
    (folder / "reviews.yaml").write_text(spec)
    (folder / "reviews.csv").write_text("id,text,tags\n1,a good one,a|b\n2,a bad one,b\n")
    visitor = stage.open()
    shown = visitor.get(f"/jobs/{job.id}").text.partition('name="spec_text"')[2].partition(">")[2].partition("<")[0]
    assert 303 == visitor.post(f"/jobs/{job.id}/rerun", {"spec_text": html.unescape(shown)}).status_code
    assert spec == (stage.settings.inbox / "reviews.yaml").read_text()


def test_a_finished_job_is_changed_and_started_as_another(stage):
    """A copy of its table and the changed spec lie in the inbox; what is done stays."""
    job, folder = _done(stage)
    visitor = stage.open()
    changed = SPEC.replace("txt", "text")
    assert 303 == visitor.post(f"/jobs/{job.id}/rerun", {"spec_text": changed}).status_code
    assert changed == (stage.settings.inbox / "reviews.yaml").read_text()
    assert CSV == (stage.settings.inbox / "reviews.csv").read_text()
    assert SPEC == (folder / "reviews.yaml").read_text()
    again = visitor.post(f"/jobs/{job.id}/rerun", {"spec_text": changed + "force: true\n"})
    assert 422 == again.status_code
    assert "waits in the inbox already" in again.text
    assert "force" not in yaml.safe_load((stage.settings.inbox / "reviews.yaml").read_text())


def test_a_job_whose_files_are_gone_offers_no_form(stage):
    """Neither does one under way."""
    gone, running = stage.job(state=State.DONE), stage.job("b", state=State.TRAINING)
    visitor = stage.open()
    for job in (gone, running):
        assert "spec_text" not in visitor.get(f"/jobs/{job.id}").text
        assert 409 == visitor.post(f"/jobs/{job.id}/rerun", {"spec_text": SPEC}).status_code


def test_links_in_failed_are_not_followed(stage, tmp_path):
    """What somebody put there may lead anywhere."""
    job, folder = _failed(stage)
    (tmp_path / "secret").write_text("secret")
    (folder / "reviews.yaml").unlink()
    (folder / "reviews.yaml").symlink_to(tmp_path / "secret")
    visitor = stage.open()
    assert "secret</textarea>" not in visitor.get(f"/jobs/{job.id}").text
    assert 409 == visitor.post(f"/jobs/{job.id}/rerun", {"spec_text": SPEC}).status_code
    assert "secret" == (tmp_path / "secret").read_text()


def test_a_failure_that_was_dealt_with_is_dismissed(stage):
    """It is gone from the overview and its count; its page stays, and a second failure is shown again."""
    job, _ = _failed(stage)
    visitor = stage.open()
    assert job.id in visitor.get("/").text
    assert "/" == visitor.post(f"/jobs/{job.id}/dismiss").headers["location"]
    stage.steady += 2
    page = visitor.get("/").text
    assert job.id not in page
    assert "1 failed" not in page
    assert 200 == visitor.get(f"/jobs/{job.id}").status_code
    assert 409 == visitor.post(f"/jobs/{stage.job('b', state=State.DONE).id}/dismiss").status_code


def test_one_who_may_only_look_changes_nothing(stage):
    """No form is shown, and none is taken."""
    job, folder = _failed(stage)
    onlooker = stage.open(host="0.0.0.0")  # noqa: S104
    assert "spec_text" not in onlooker.get(f"/jobs/{job.id}").text
    for path in ("rerun", "quote", "dismiss"):
        assert 403 == onlooker.post(f"/jobs/{job.id}/{path}", {"spec_text": "x"}).status_code
    assert SPEC == (folder / "reviews.yaml").read_text()
    assert not stage.journal.job(job.id).dismissed


def test_warnings_and_drift_stand_at_the_top_in_colour(stage):
    """Before everything that may be long."""
    from daemon.journal.prediction_record import Prediction

    times = {"created_at": 1.0, "updated_at": 2.0}
    stage.journal.add_prediction(
        Prediction(id="p", model="reviews", csv_name="new.csv", state="done", warnings="much <longer>", **times)
    )
    page = stage.open().get("/").text
    top = page.partition('data-part="alerts"')[2].partition('<div class="columns">')[0]
    assert 'class="banner warn"' in top
    assert "much &lt;longer&gt;" in top


def test_a_job_of_an_earlier_software_whose_spec_is_not_understood_has_a_page(stage):
    """Everything else is shown."""
    job = stage.job(state=State.DONE, spec=json.dumps({"name": "reviews", "unknown": 1}))
    assert 200 == stage.open().get(f"/jobs/{job.id}").status_code
