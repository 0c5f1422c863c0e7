"""Every way to name a model leads to its classifier and to its figures."""

from __future__ import annotations

import pytest

from freeal.errors import CorruptModelError
from freeal.files.model_folders import classifier_folder, results_folder
from freeal.student.model_folder import student_metadata


@pytest.fixture
def shelf(tmp_path):
    """A model of the service, and beside it what `train` writes."""
    version = tmp_path / "models" / "m" / "versions" / "m-1"
    for results, classifier in ((version, version / "model"), (tmp_path / "own-results", tmp_path / "own")):
        classifier.mkdir(parents=True)
        (classifier / "freeal.json").write_text("{}")
        results.mkdir(exist_ok=True)
        (results / "metrics.json").write_text("{}")
    model = tmp_path / "models" / "m"
    (model / "model").symlink_to("versions/m-1/model")
    (model / "metrics.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    "named", ["models/m", "models/m/model", "models/m/versions/m-1", "models/m/versions/m-1/model"]
)
def test_a_model_its_version_and_its_classifier_are_one(shelf, named):
    """`show` and `predict` take the same folders."""
    assert (shelf / "models/m/versions/m-1/model").resolve() == classifier_folder(shelf / named).resolve()
    assert (results_folder(shelf / named) / "metrics.json").is_file()


def test_a_folder_that_train_wrote_has_its_figures_beside_it(shelf):
    """In FOLDER-results."""
    assert shelf / "own-results" == results_folder(shelf / "own")
    assert shelf / "own" == classifier_folder(shelf / "own")


def test_a_folder_that_is_no_model_stays_what_it_is(shelf):
    """So that the message names what was typed, even beside a model."""
    (shelf / "other").mkdir()
    (shelf / "other-results").mkdir()
    (shelf / "other-results" / "metrics.json").write_text("{}")
    assert (shelf / "other", shelf / "other") == (classifier_folder(shelf / "other"), results_folder(shelf / "other"))


@pytest.mark.parametrize(
    ("files", "named", "said"),
    [
        ([], "nowhere", "is no folder (name models/NAME"),
        (["other.txt"], "here", "is no model's folder: there is no freeal.json in it (name models/NAME"),
        (["a file"], "here/a file", "is no folder (name models/NAME"),
        (["config.json"], "here", "is missing (train the model again, or restore its folder from a copy)"),
        (["terms.json"], "here", "is missing (train the model again, or restore its folder from a copy)"),
    ],
)
def test_a_wrong_name_is_told_from_a_damaged_model(tmp_path, files, named, said):
    """Who mistyped a folder has no model to restore."""
    (tmp_path / "here").mkdir()
    for name in files:
        (tmp_path / "here" / name).write_text("{}")
    with pytest.raises(CorruptModelError) as caught:
        student_metadata.read_card(tmp_path / named)
    assert said in str(caught.value)
