"""A person's labels, from the edited review queue to the next version, with the real program."""

from __future__ import annotations

import csv
import io
import json

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
