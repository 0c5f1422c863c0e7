"""Which version a folder stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from freeal.errors import CorruptModelError
from freeal.files.model_folders import results_folder
from freeal.results.find_version import find_version


@pytest.fixture
def shelf(tmp_path):
    """A model of the service with one version, and what `train` writes."""
    version = tmp_path / "m" / "versions" / "m-1"
    for results, classifier in ((version, version / "model"), (tmp_path / "own-results", tmp_path / "own")):
        classifier.mkdir(parents=True)
        (classifier / "freeal.json").write_text("{}")
        results.mkdir(exist_ok=True)
        (results / "answers.json").write_text("{}")
    (tmp_path / "m" / "model").symlink_to("versions/m-1/model")
    return tmp_path


@pytest.mark.parametrize(
    ("inside", "found"),
    [("m", "m/versions/m-1"), ("m/versions/m-1", "m/versions/m-1"), ("m/versions/m-1/model", "m/versions/m-1"),
     ("own", "own-results"), ("own-results", "own-results")],
)  # fmt: skip
def test_a_folder_may_be_named_from_within(shelf, monkeypatch, inside, found):
    """`.` is the version that the folder's own name leads to, with a name of its own."""
    assert (shelf / found).resolve() == find_version(shelf / inside).resolve()
    monkeypatch.chdir(shelf / inside)
    assert shelf / found == find_version(Path())


@pytest.mark.parametrize("folder", [Path(), Path("/"), Path("..")])
def test_a_folder_without_a_name_is_no_version_either(tmp_path, monkeypatch, folder):
    """It is told as one that holds nothing, whatever stands around it."""
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "empty" / "inner")
    with pytest.raises(CorruptModelError, match="holds no version"):
        find_version(folder)
    assert folder == results_folder(folder)
