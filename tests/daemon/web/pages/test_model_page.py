"""A model's versions on its page."""

from __future__ import annotations

import json
import shutil


def _two(stage):
    folder = stage.model()
    newer = next((folder / "versions").iterdir())
    older = newer.with_name("reviews-20200101-000000-abcdef")
    shutil.copytree(newer, older)
    return folder, newer.name, older.name


def test_an_earlier_version_is_made_current_by_its_button(stage):
    """The link, and what lies on top, are its own; the button is beside the others only."""
    folder, newer, older = _two(stage)
    visitor = stage.open()
    page = visitor.get("/models/reviews").text
    assert (1, True) == (page.count("Use this one"), f"/versions/{older}/use" in page)
    answer = visitor.post(f"/models/reviews/versions/{older}/use", {})
    assert 303 == answer.status_code
    assert f"versions/{older}/model" == str((folder / "model").readlink())
    assert f"/versions/{newer}/use" in visitor.get("/models/reviews").text


def test_one_who_may_only_look_rolls_nothing_back(stage):
    """To look is free, to act is not."""
    folder, newer, older = _two(stage)
    onlooker = stage.open(host="0.0.0.0")  # noqa: S104
    assert 403 == onlooker.post(f"/models/reviews/versions/{older}/use", {}).status_code
    assert f"versions/{newer}/model" == str((folder / "model").readlink())


def test_a_version_that_is_not_listed_is_not_used(stage):
    """A name from an address never becomes a path."""
    folder, newer, _ = _two(stage)
    assert 404 == stage.open().post("/models/reviews/versions/..%2f..%2fx/use", {}).status_code
    assert f"versions/{newer}/model" == str((folder / "model").readlink())


def test_versions_are_told_by_date_and_by_what_was_measured(stage):
    """A version without true labels has no accuracy: agreement is none."""
    folder, newer, older = _two(stage)
    version = folder / "versions" / older
    metrics = json.loads((version / "metrics.json").read_text())
    del metrics["final"]["accuracy"], metrics["final"]["accuracy_interval"]
    metrics["final"]["llm_student_agreement"] = 0.7654
    (version / "metrics.json").write_text(json.dumps(metrics))
    (folder / "versions" / newer / "run.json").write_text(
        json.dumps({"finished": "2025-11-22T12:34:00+00:00", "spec": {"description": "What is felt", "labels": {}}})
    )
    page = stage.open().get("/models/reviews").text
    versions = page.partition('id="versions"')[2]
    assert "2025-11-22 12:34 UTC" in versions
    assert "90.0 % of the labels are right" in versions
    assert "accuracy not measured" in versions
    assert "76.5" not in versions
    assert "What is felt" in page


def test_labels_and_confidence_are_pictures_with_words(stage):
    """Each has a name that says what is in it; without counts there is no picture."""
    folder = stage.model()
    path = folder / "model" / ".." / "metrics.json"
    metrics = json.loads(path.read_text())
    visitor = stage.open()
    assert "How sure it is" not in visitor.get("/models/reviews").text
    metrics["final"]["confidence_counts"] = [0, 0, 0, 0, 0, 1, 2, 3, 4, 10]
    path.write_text(json.dumps(metrics))
    page = visitor.get("/models/reviews").text
    assert 'aria-label="Histogram: confidence. labelled: 20 rows."' in page
    assert 'aria-label="Label shares. rows: good 50.0 %, bad 50.0 %."' in page
    assert "style=" not in page, "the page's policy forbids it"


def test_a_file_dropped_on_the_page_lands_in_the_lane_that_was_chosen(stage):
    """Under a plain name, and never over one that waits."""
    folder = stage.model()
    (folder / "corrections").mkdir(exist_ok=True)
    visitor = stage.open()
    for lane in ("predict", "corrections"):
        answer = visitor.post(
            "/models/reviews/drop", {"lane": lane}, files=[("files", ("../my new.csv", b"text\nx\n"))]
        )
        assert 303 == answer.status_code
        assert b"text\nx\n" == (folder / lane / "my-new.csv").read_bytes()
    assert (
        409
        == visitor.post(
            "/models/reviews/drop", {"lane": "predict"}, files=[("files", ("my new.csv", b"other\n"))]
        ).status_code
    )
    assert b"text\nx\n" == (folder / "predict" / "my-new.csv").read_bytes()
    assert [] == list((stage.settings.state / "uploads").iterdir())


def test_answered_boundaries_are_dropped_with_corrections(stage):
    """A YAML file is taken where corrections go, and nowhere else."""
    folder = stage.model()
    (folder / "corrections").mkdir(exist_ok=True)
    files = [("files", ("boundaries.yaml", b"pairs: []"))]
    assert 303 == stage.open().post("/models/reviews/drop", {"lane": "corrections"}, files=files).status_code
    assert b"pairs: []" == (folder / "corrections" / "boundaries.yaml").read_bytes()


def test_what_is_no_table_is_not_dropped_and_no_lane_is_made_up(stage):
    """Nothing is written."""
    folder = stage.model()
    visitor = stage.open()
    for lane, name in (("predict", "a.yaml"), ("versions", "a.csv"), ("../x", "a.csv")):
        answer = visitor.post("/models/reviews/drop", {"lane": lane}, files=[("files", (name, b"x\n"))])
        assert 400 == answer.status_code
    assert [] == list((folder / "predict").iterdir())
    assert not (folder.parent / "x").exists()
