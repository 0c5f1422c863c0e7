"""The hub: what would be sent is said, and only that is sent."""

from __future__ import annotations

import inspect
import json

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from freeal.cli.command_line import main
from freeal.compute.listener import unwatched
from freeal.errors import ConfigError, FreealError, ModelFolderError
from freeal.export import hub_upload
from freeal.export.dataset_folder import export_dataset
from freeal.export.onnx_model import export_onnx
from freeal.settings import StudentSettings
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.sklearn_trainer import SklearnStudent
from freeal.student.trainer_factory import make_trainer


class Hub:
    """Stands in for `HfApi`: takes the calls that the real one would take, and remembers them."""

    def __init__(self, error=None):
        self.calls, self.error = [], error

    def _called(self, name, args, given):
        inspect.signature(getattr(HfApi, name)).bind(self, *args, **given)  # the real one takes the same
        self.calls.append((name, given))
        if self.error:
            raise self.error
        return "https://hub.example/commit/1"

    def create_repo(self, *args, **given):
        """As in HfApi."""
        return self._called("create_repo", args, given)

    def upload_folder(self, *args, **given):
        """As in HfApi."""
        return self._called("upload_folder", args, given)


def test_nothing_is_sent_unless_it_is_asked_for(classifier, capsys):
    """The command lists each file with its size and says that nothing left the machine; tests have no network."""
    assert 0 == main(["export", "hub", str(classifier), "--repo", "me/reviews"])
    told = capsys.readouterr().out
    assert "model.safetensors" in told
    assert "no text of any row" in told
    assert "nothing was sent" in told
    assert 0 == main(["export", "hub", str(classifier), "--repo", "me/reviews", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (None, True, False) == (found["sent_to"], found["private"], found["holds_texts"])
    assert {path.name for path in classifier.iterdir()} == set(found["files"])


def test_what_was_planned_is_sent_in_one_commit(classifier):
    """A private repository, and the files of the plan alone."""
    hub = Hub()
    upload = hub_upload.planned_upload(classifier, "me/reviews")
    assert "https://hub.example/commit/1" == hub_upload.push_to_hub(upload, api=hub)
    assert ["create_repo", "upload_folder"] == [name for name, _ in hub.calls]
    assert hub.calls[0][1] == {"repo_type": "model", "private": True, "exist_ok": True}
    assert set(upload.files) == set(hub.calls[1][1]["allow_patterns"])


def test_a_dataset_says_that_it_holds_texts(version, tmp_path, capsys):
    """Rows leave the machine with it, so that is said first."""
    export_dataset(version, tmp_path / "out")
    assert 0 == main(["export", "hub", str(tmp_path / "out"), "--repo", "me/rows", "--dataset", "--public"])
    told = capsys.readouterr().out
    assert "the texts of all rows" in told
    assert "everybody sees it" in told


@pytest.mark.parametrize("repo", ["reviews", "a/b/c", "/x", "me/.."])
def test_what_is_no_repository_is_refused(classifier, repo):
    """Before anybody is asked."""
    with pytest.raises(ConfigError, match="is no repository"):
        hub_upload.planned_upload(classifier, repo)


def test_the_hubs_refusal_is_told_in_our_words(classifier):
    """With what to look at."""
    import httpx

    refusal = HfHubHTTPError("401 Unauthorized", response=httpx.Response(401, request=httpx.Request("GET", "http://x")))
    with pytest.raises(FreealError, match=r"me/reviews: could not be sent: .*401.*HF_TOKEN"):
        hub_upload.push_to_hub(hub_upload.planned_upload(classifier, "me/reviews"), api=Hub(refusal))
    with pytest.raises(ConfigError, match="is no dataset folder"):
        hub_upload.planned_upload(classifier / "nowhere", "me/reviews", kind="dataset")


def test_a_pickle_of_another_s_student_may_hold_words_of_the_rows(tmp_path, capsys):
    """A classifier of the caller's own is not said to be free of them."""
    SklearnStudent(make_pipeline(CountVectorizer(), MultinomialNB()).fit(["zebulon", "b"], [0, 1]), ("x", "y")).save(
        tmp_path
    )
    assert b"zebulon" in (tmp_path / "classifier.joblib").read_bytes()
    assert hub_upload.planned_upload(tmp_path, "me/reviews").holds_texts
    assert 0 == main(["export", "hub", str(tmp_path), "--repo", "me/reviews"])
    assert "may be" in capsys.readouterr().out


def test_a_student_of_words_holds_words_of_the_rows(tmp_path):
    """What is sent is named for what it is."""
    trainer = make_trainer(StudentSettings(model="tfidf"), texts=4)
    data = LabelledTexts(["zebulon", "b", "zebulon c", "d"], [0, 1, 0, 1])
    trained = trainer.fit(data, labels=("x", "y"), seed=0, on_step=unwatched)
    trained.student.save(tmp_path)
    assert "zebulon" in (tmp_path / "terms.json").read_text(encoding="utf-8")
    assert hub_upload.planned_upload(tmp_path, "me/reviews").holds_texts
    with pytest.raises(ModelFolderError, match="student of words"):
        export_onnx(tmp_path, tmp_path / "out")
