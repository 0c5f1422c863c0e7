"""Publishing: complete or absent, and repeatable."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from daemon.errors import RefusedFileError
from daemon.outbox import durable_file_moves
from daemon.outbox.model_shelf import Shelf, shelves
from daemon.outbox.publish_prediction import publish_prediction


def _output(folder, text="v1"):
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "config.json").write_text("{}")
    for name in ("annotated.csv", "metrics.json", "report.html"):
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def shelf(tmp_path):
    """An empty shelf."""
    return Shelf(tmp_path / "models", "reviews")


def _publish(shelf, tmp_path, job_id, *, keep=5, text="v1"):
    shelf.publish_version(_output(tmp_path / "out" / job_id, text), job_id=job_id, stem="may", keep_versions=keep)


def test_a_published_job_lies_where_people_look(shelf, tmp_path):
    """Model link, annotated CSV, metrics and report on top, the lanes made."""
    _publish(shelf, tmp_path, "reviews-1")
    assert Path("versions/reviews-1/model") == shelf.model.readlink()
    assert "v1" == (shelf.folder / "annotated" / "may.csv").read_text()
    assert {
        "annotated",
        "corrections",
        "done",
        "failed",
        "metrics.json",
        "model",
        "predict",
        "predictions",
        "report.html",
        "versions",
    } == {path.name for path in shelf.folder.iterdir()}
    assert "reviews-1" == shelf.current


def test_the_newest_version_is_on_top(shelf, tmp_path):
    """The link is replaced, never missing, and the files on top follow."""
    _publish(shelf, tmp_path, "reviews-1")
    _publish(shelf, tmp_path, "reviews-2", text="v2")
    assert ("reviews-2", "v2") == (shelf.current, (shelf.folder / "metrics.json").read_text())


def test_publishing_twice_is_publishing_once(shelf, tmp_path):
    """After a crash it is done again, with the output already moved."""
    _publish(shelf, tmp_path, "reviews-1")
    shelf.publish_version(tmp_path / "gone", job_id="reviews-1", stem="may", keep_versions=5)
    assert "reviews-1" == shelf.current


def test_old_versions_go_but_never_the_current_one(shelf, tmp_path):
    """keep_versions counts the current one, whatever its id, and the newest beside it."""
    for number in range(1, 5):
        _publish(shelf, tmp_path, f"reviews-{number}", keep=2)
    assert ["reviews-3", "reviews-4"] == _versions(shelf)
    shelf.publish_version(tmp_path / "gone", job_id="reviews-3", stem="may", keep_versions=1)
    assert ["reviews-3"] == _versions(shelf), "of two claimed in the same second the newer one may sort first"


def test_an_earlier_version_is_current_again_with_its_files_on_top(shelf, tmp_path):
    """A roll back is a rename; the newer version stays, and is not the one that is kept at the next publishing."""
    _publish(shelf, tmp_path, "reviews-1")
    _publish(shelf, tmp_path, "reviews-2", text="v2")
    (shelf.version("reviews-1") / "run.json").write_text('{"input": {"file": "may.csv.gz"}}')
    shelf.use("reviews-1")
    assert ("reviews-1", ("reviews-2", "reviews-1")) == (shelf.current, shelf.version_names())
    assert {"v1"} == {
        (shelf.folder / name).read_text() for name in ("metrics.json", "report.html", "annotated/may.csv")
    }


@pytest.mark.parametrize("name", ["metrics.json", "report.html", "model"])
def test_what_is_in_use_under_a_name_of_ours_is_refused_before_anything_is_paid(shelf, tmp_path, name):
    """A link to somebody's file, a folder of somebody's work."""
    shelf.folder.mkdir(parents=True)
    if name == "model":
        (shelf.folder / name).mkdir()
    else:
        (tmp_path / "theirs").write_text("theirs")
        (shelf.folder / name).symlink_to(tmp_path / "theirs")
    with pytest.raises(RefusedFileError, match="is in use"):
        shelf.check_writable()


def _versions(shelf):
    return sorted(path.name for path in (shelf.folder / "versions").iterdir())


def test_a_folder_in_place_of_the_link_is_left_alone(shelf, tmp_path):
    """We replace links of ours, not what somebody else put there."""
    shelf.model.mkdir(parents=True)
    with pytest.raises(RefusedFileError, match="is in use"):
        _publish(shelf, tmp_path, "reviews-1")


def test_a_link_out_of_the_models_folder_is_no_shelf(tmp_path):
    """Nothing outside is ours to read or write."""
    (tmp_path / "models" / "real").mkdir(parents=True)
    (tmp_path / "models" / "link").symlink_to(tmp_path)
    assert ["real"] == [one.name for one in shelves(tmp_path / "models")]


@pytest.mark.parametrize("name", ["", "versions", "annotated", "predict", "done"])
def test_nothing_is_published_through_a_link(shelf, tmp_path, name):
    """A link in the models folder cannot make the daemon write elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = shelf.folder / name if name else shelf.folder
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    with pytest.raises(RefusedFileError, match="would lead out"):
        _publish(shelf, tmp_path, "reviews-1")
    assert [] == list(elsewhere.iterdir())


@pytest.mark.parametrize("is_folder", [True, False])
def test_across_file_systems_a_copy_is_made_and_the_source_removed(tmp_path, monkeypatch, is_folder):
    """A rename between file systems fails; nothing half-copied ever has the final name."""
    source = _output(tmp_path / "source") if is_folder else tmp_path / "source"
    source.touch()
    target = tmp_path / "target" / "name"
    rename = Path.replace

    def across(self, to):
        if self == source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(self, to)

    monkeypatch.setattr(Path, "replace", across)
    durable_file_moves.move(source, target)
    assert (False, True, [target]) == (source.exists(), target.exists(), list(target.parent.iterdir()))


def test_a_failed_copy_leaves_nothing_behind(tmp_path):
    """The target is complete or absent: here its name is taken by a folder."""
    (tmp_path / "source").write_text("x")
    (tmp_path / "folder" / "name").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        durable_file_moves.copy(tmp_path / "source", tmp_path / "folder" / "name")
    assert [tmp_path / "folder" / "name"] == list((tmp_path / "folder").iterdir())


def _predict(shelf, tmp_path, prediction_id, text):
    labelled = tmp_path / f"{prediction_id}.csv"
    labelled.write_text(text)
    return publish_prediction(shelf, labelled, {"rows": 1}, stem="new", prediction_id=prediction_id)


def test_a_prediction_lies_beside_its_facts(shelf, tmp_path):
    """The JSON names the prediction it belongs to."""
    path = _predict(shelf, tmp_path, "predict-1", "a")
    assert ("a", {"rows": 1, "prediction": "predict-1"}) == (
        path.read_text(),
        json.loads(path.with_suffix(".json").read_text()),
    )


def test_a_newer_prediction_takes_the_name_and_the_older_one_is_kept(shelf, tmp_path):
    """Dropping the same name again overwrites nothing."""
    _predict(shelf, tmp_path, "predict-1", "old")
    path = _predict(shelf, tmp_path, "predict-2", "new")
    assert ("new", "old") == (path.read_text(), path.with_name("new.predict-1.csv").read_text())
    assert "predict-1" == json.loads(path.with_name("new.predict-1.json").read_text())["prediction"]


def test_publishing_a_prediction_again_after_a_crash_keeps_no_copy_of_itself(shelf, tmp_path):
    """The same prediction replaces itself."""
    _predict(shelf, tmp_path, "predict-1", "a")
    path = _predict(shelf, tmp_path, "predict-1", "a")
    assert ["new.csv", "new.json"] == sorted(found.name for found in path.parent.iterdir())


def test_a_workbook_of_the_rows_goes_with_them(shelf, tmp_path):
    """And is kept aside with its CSV when a newer prediction takes the name."""
    (tmp_path / "predict-1.xlsx").write_text("book")
    _predict(shelf, tmp_path, "predict-1", "a")
    path = _predict(shelf, tmp_path, "predict-2", "b")
    names = ["new.csv", "new.json", "new.predict-1.csv", "new.predict-1.json", "new.predict-1.xlsx"]
    assert names == sorted(found.name for found in path.parent.iterdir())


def _predict_parquet(shelf, tmp_path, prediction_id):
    labelled = tmp_path / "output.parquet"
    labelled.write_text("parquet")
    return publish_prediction(shelf, labelled, {"rows": 1}, stem="new", prediction_id=prediction_id)


def test_a_prediction_in_another_form_takes_the_name_too(shelf, tmp_path):
    """Its rows have their own ending; those of the prediction before are kept aside."""
    _predict(shelf, tmp_path, "predict-1", "a")
    path = _predict_parquet(shelf, tmp_path, "predict-2")
    names = ["new.json", "new.parquet", "new.predict-1.csv", "new.predict-1.json"]
    assert ("new.parquet", names) == (path.name, sorted(found.name for found in path.parent.iterdir()))


def test_publishing_again_in_another_form_leaves_one(shelf, tmp_path):
    """After a crash, with `predict.output` changed meanwhile."""
    _predict(shelf, tmp_path, "predict-1", "a")
    path = _predict_parquet(shelf, tmp_path, "predict-1")
    assert ["new.json", "new.parquet"] == sorted(found.name for found in path.parent.iterdir())


def test_a_file_of_unknown_origin_is_kept_too(shelf, tmp_path):
    """Somebody put a file of that name there by hand."""
    folder = shelf.folder / "predictions"
    folder.mkdir(parents=True)
    (folder / "new.csv").write_text("mine")
    _predict(shelf, tmp_path, "predict-1", "a")
    assert {"mine", "a"} == {path.read_text() for path in folder.glob("*.csv")}
