"""A person's labels, from the edited review queue to the next version, with the real program."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pytest


def _rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _dropped(daemon, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    (daemon.models / "reviews" / "corrections" / "review_queue.csv").write_text(text.getvalue(), encoding="utf-8")


def test_the_edited_review_queue_becomes_the_next_version(daemon, server):
    """Dropped back as a spreadsheet saves it: final labels, a report that says so, and not one more question."""
    daemon.drop()
    first = daemon.run("--once")
    assert 0 == first.returncode, first.stderr
    model = daemon.models / "reviews"
    asked, version = len(server.requests), (model / "model").resolve().parent
    queue = _rows(version / "review_queue.csv")
    for row in queue:
        row["freeal_corrected"] = "negative" if row["freeal_label"] == "positive" else "positive"
    _dropped(daemon, queue)
    second = daemon.run("--once")
    assert 0 == second.returncode, second.stderr
    assert asked == len(server.requests)
    now = (model / "model").resolve().parent
    assert now.name.endswith("-corrections")
    before, after = _rows(version / "annotated.csv"), _rows(model / "annotated" / "reviews.csv")
    assert [(row["id"], row["text"]) for row in before] == [(row["id"], row["text"]) for row in after]
    corrected = {row["text"]: row["freeal_corrected"] for row in queue}
    assert corrected == {row["text"]: row["freeal_label"] for row in after if row["freeal_source"] == "corrected"}
    found = json.loads((model / "metrics.json").read_text())["corrections"]
    assert (len(queue), len(queue), 0) == (found["given"], found["changed"], found["agreed"])
    assert "Since the last version" in (model / "report.html").read_text()
    assert ["review_queue.csv"] == [path.name for path in (model / "done" / now.name).iterdir()]
    assert f"labelled by a person  {len(queue)} texts" in " ".join(second.stdout.split()).replace("person ", "person  ")


@pytest.mark.slow
def test_the_same_csv_again_keeps_what_a_person_said(daemon, server):
    """Dropped once more it is trained once more, since the model was corrected meanwhile; then it is done already."""
    daemon.drop()
    daemon.run("--once")
    model = daemon.models / "reviews"
    row = _rows(model / "annotated" / "reviews.csv")[0]
    _dropped(daemon, [{"text": row["text"], "freeal_corrected": "positive"}])
    daemon.run("--once")
    asked = len(server.requests)
    daemon.drop()
    third = daemon.run("--once")
    assert "already done" not in third.stdout
    assert asked == len(server.requests)
    assert ("positive", "corrected") == tuple(
        _rows(model / "annotated" / "reviews.csv")[0][name] for name in ("freeal_label", "freeal_source")
    )
    daemon.drop()
    assert "already done" in daemon.run("--once").stdout


@pytest.mark.slow
def test_wrong_corrections_say_so_where_people_look(daemon, server):
    """All mistakes at once, with their lines, beside the untouched file; the version stays what it was."""
    daemon.drop()
    daemon.run("--once")
    model = daemon.models / "reviews"
    version = (model / "model").resolve()
    text = _rows(model / "annotated" / "reviews.csv")[0]["text"]
    _dropped(daemon, [{"text": text, "freeal_corrected": "positiv"}, {"text": "", "freeal_corrected": "negative"}])
    second = daemon.run("--once")
    assert 1 == second.returncode
    [failed] = (model / "failed").iterdir()
    said = (failed / "ERROR.txt").read_text()
    assert "did you mean 'positive'?" in said
    assert "a label without a text" in said
    assert "line 2" in said
    assert str(failed / "review_queue.csv") in said
    assert version == (model / "model").resolve()
    assert "-corrections" in daemon.run("status").stdout


@pytest.mark.slow
def test_a_filled_sheet_dropped_back_certifies_the_version(daemon, server):
    """Read like `freeal certify` reads it: figures in every file that tells them, the same version, nothing asked."""
    daemon.drop(csv=daemon.rows(80))
    daemon.run("--once")
    model = daemon.models / "reviews"
    version, asked = (model / "model").resolve().parent, len(server.requests)
    library = [sys.executable, "-m", "freeal", "certify", str(model), "--rows", "40"]
    subprocess.run(library, check=True, capture_output=True, cwd=daemon.folder)
    sheet = _rows(version / "blind_sheet.csv")
    for row in sheet:
        row["freeal_certified"] = "positive" if "good" in row["text"] else "negative"
    _dropped(daemon, sheet)
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr
    assert (asked, version) == (len(server.requests), (model / "model").resolve().parent)
    found = json.loads((model / "metrics.json").read_text())["certified"]
    assert len(sheet) == found["texts"]
    assert "final labels, certified" in done.stdout
    [archived] = [path for path in (model / "done").iterdir() if path.name.endswith("-corrections")]
    assert ["review_queue.csv"] == [path.name for path in archived.iterdir()]
    assert [] == list((daemon.folder / ".state" / "work").iterdir())


@pytest.mark.slow
def test_answers_to_boundary_questions_dropped_back_ask_what_can_change(daemon, server):
    """A YAML in corrections/ changes the labels' meanings; a new version comes of it."""
    daemon.drop()
    daemon.run("--once")
    model = daemon.models / "reviews"
    version, asked = (model / "model").resolve().parent, len(server.requests)
    answers = """
pairs:
- between: [positive, negative]
  answer:
    positive: {is: "praise for a thing", is_not: "", goes_to: negative}
"""
    (model / "corrections" / "boundaries.yaml").write_text(answers)
    done = daemon.run("--once")
    assert 0 == done.returncode, done.stderr + done.stdout
    now = (model / "model").resolve().parent
    assert now != version
    assert asked < len(server.requests)
    assert "is praise for a thing" in json.loads((now / "run.json").read_text())["spec"]["labels"]["positive"]


@pytest.mark.slow
def test_what_answers_no_question_says_so_where_people_look(daemon):
    """A YAML without an answer fails with its reason beside it."""
    daemon.drop()
    daemon.run("--once")
    model = daemon.models / "reviews"
    (model / "corrections" / "boundaries.yaml").write_text("pairs: []\n")
    assert 1 == daemon.run("--once").returncode
    [failed] = (model / "failed").iterdir()
    assert "answers no question" in (failed / "ERROR.txt").read_text()
