"""`FreeALClassifier` among scikit-learn's own tools, and scikit-learn's checks of it."""

from __future__ import annotations

import csv
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from freeal import FreeALClassifier
from freeal.errors import SpecError
from freeal.student.sklearn_trainer import SklearnTrainer
from freeal.testing.scripted_model import text_of
from freeal.testing.tiny_student import TinyTrainer
from freeal.types import Reply

THINGS, PLACES = ("phone", "film", "lamp", "book", "chair", "cup", "coat"), ("here", "home", "town", "work")
TEXTS = [f"a {'good' if row % 2 else 'bad'} {THINGS[row % 7]} at {PLACES[row % 4]}" for row in range(48)]
TRUTH = np.array(["satisfied" if row % 2 else "angry" for row in range(48)])
SPEC = {"description": "Is the customer satisfied?", "labels": ["satisfied", "angry"], "iterations": 1}


BAYES = SklearnTrainer(make_pipeline(CountVectorizer(token_pattern=r"\S+"), MultinomialNB()))


class Lengths:
    """A language model without a memory, which chooses by the length of a text, or by its words where it knows them."""

    provider, model, style, writes = "lengths", "lengths-1", "chat", False
    rows_per_call, concurrency, fingerprint = 1, 8, "lengths-1"

    def __repr__(self):
        return "Lengths()"  # no address in the names of the checks: each worker of a test run must see the same

    async def answer(self, prompts):
        """One reply each."""
        return [Reply(text=self._label(text_of(prompt.specific), prompt.labels)) for prompt in prompts]

    def _label(self, text, labels):
        if set(labels) == {"satisfied", "angry"}:
            return "satisfied" if "good" in text else "angry"
        return labels[len(text) % len(labels)]

    async def aclose(self):
        """Nothing to release."""


@pytest.fixture(autouse=True)
def _own_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _classifier(spec=SPEC, **given):
    return FreeALClassifier(spec, **({"llm": Lengths(), "student": TinyTrainer()} | given))


@parametrize_with_checks(
    [FreeALClassifier(llm=Lengths(), student=BAYES, loop={"iterations": 1})],
    expected_failed_checks=lambda _: {
        "check_classifiers_train": "it wants y to be learned from; here y only measures, and the language model of "
        "this test knows nothing of numbers written as text",
    },
)
def test_scikit_learns_own_checks(estimator, check):
    """A table of numbers is rows of text as well: all checks hold but those that are listed, each with its reason."""
    check(estimator)


def test_it_is_fitted_without_labels():
    """Texts alone are enough: classes are sorted, each row has its final label, and new texts are predicted."""
    fitted = _classifier().fit(TEXTS)
    assert ["angry", "satisfied"] == fitted.classes_.tolist()
    assert TRUTH.tolist() == fitted.labels_.tolist()
    assert ["satisfied", "angry"] == fitted.predict(["a good day", "a bad day"]).tolist()
    proba = fitted.predict_proba(["a good day", "a bad day"])
    assert (fitted.classes_[proba.argmax(axis=1)] == ["satisfied", "angry"]).all()
    assert 1 == len(fitted.rounds_)
    assert fitted.rounds_[0].llm_accuracy is None


def test_truth_only_measures_unless_it_is_to_teach():
    """`y` never reaches the models by default: with all of it wrong, the labels are as good as before."""
    wrong = np.where(TRUTH == "angry", "satisfied", "angry")
    fitted = _classifier().fit(TEXTS, wrong)
    assert TRUTH.tolist() == fitted.labels_.tolist()
    assert 0.0 == fitted.rounds_[0].llm_accuracy
    taught = _classifier(label_use="teach").fit(TEXTS, wrong)
    assert wrong.tolist() == taught.labels_.tolist()


def test_cross_validation_scores_it_with_truth():
    """In a pipeline, with a scorer that takes probabilities in the order of the sorted labels."""
    pipeline = make_pipeline(FunctionTransformer(lambda texts: [text.upper().lower() for text in texts]), _classifier())
    assert [1.0, 1.0, 1.0] == cross_val_score(pipeline, TEXTS, TRUTH, cv=3, error_score="raise").tolist()
    assert (
        cross_val_score(_classifier(), TEXTS, TRUTH, cv=2, scoring="neg_log_loss", error_score="raise") > -0.3
    ).all()


def test_its_parameters_can_be_searched():
    """Settings are parameters; clones have none of what was fitted."""
    search = GridSearchCV(_classifier(), {"loop": [{"iterations": 1}, {"iterations": 1, "shots": 2}]}, cv=2)
    best = search.fit(np.array(TEXTS, dtype=object), TRUTH).best_estimator_
    assert best.score(TEXTS, TRUTH) == 1.0
    with pytest.raises(NotFittedError):
        clone(best).predict(TEXTS)


def test_frames_are_read_by_their_text_columns():
    """Columns that are no text are left alone; missing and empty texts get the shares of the labels."""
    frame = pd.DataFrame({"id": range(48), "mail": TEXTS}, index=range(100, 148))
    fitted = _classifier(SPEC | {"text_columns": ["mail"], "id_column": "id"}).fit(frame)
    assert TRUTH.tolist() == fitted.labels_.tolist()
    assert ["id", "mail"] == fitted.feature_names_in_.tolist()
    proba = fitted.predict_proba(pd.DataFrame({"id": [1, 2], "mail": [None, "a good phone"]}))
    np.testing.assert_allclose([0.5, 0.5], proba[0])
    np.testing.assert_allclose(1.0, proba.sum(axis=1))


def test_a_fitted_one_is_pickled():
    """What comes back says what it said."""
    fitted = _classifier().fit(TEXTS)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - our own
    np.testing.assert_array_equal(fitted.predict_proba(TEXTS), again.predict_proba(TEXTS))


@pytest.mark.parametrize("mode", ["frozen", "finetune"])
def test_a_fitted_encoder_is_pickled_and_needs_no_folder(encoder_folder, mode):
    """The default kind of student stays in memory when its folder is gone."""
    fitted = _classifier(student={"model": str(encoder_folder), "mode": mode, "epochs": 1}).fit(TEXTS)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - our own
    np.testing.assert_allclose(fitted.predict_proba(TEXTS), again.predict_proba(TEXTS), atol=1e-6)


def test_results_are_kept_where_a_folder_is_named(tmp_path):
    """Report, metrics and labelled rows of the last fit."""
    _classifier(folder=tmp_path / "kept").fit(TEXTS, TRUTH)
    with (tmp_path / "kept" / "annotated.csv").open(encoding="utf-8", newline="") as stream:
        assert TRUTH.tolist() == [row["freeal_label"] for row in csv.DictReader(stream)]


class Remembering(ClassifierMixin, BaseEstimator):
    """A student that keeps what metadata it was handed."""

    def fit(self, texts, y, prices=None):
        """Remember."""
        self.classes_ = np.unique(y)
        self.prices_ = None if prices is None else dict(zip(texts, prices, strict=True))
        return self

    def predict_proba(self, texts):
        """By one word."""
        good = np.array([float("good" in text) for text in texts])
        return np.stack([good, 1.0 - good], axis=1)


def test_metadata_is_routed_to_the_student_and_taken_by_itself():
    """What a student of scikit-learn requests comes with its texts; paraphrases are the classifier's own; what nobody
    requested is refused."""
    with sklearn.config_context(enable_metadata_routing=True):
        student = Remembering().set_fit_request(prices=True)
        classifier = _classifier(student=student)
        fitted = classifier.fit(TEXTS, prices=np.arange(48))
        handed = fitted.model_.student.classifier.prices_
        assert {text: TEXTS.index(text) for text in TEXTS} == handed
        with pytest.raises((UnsetMetadataPassedError, TypeError)):
            classifier.fit(TEXTS, weights=np.ones(48))
        asking = _classifier(student=student).set_fit_request(paraphrases=True)
        pipeline = make_pipeline(FunctionTransformer(), asking)
        pipeline.fit(TEXTS, paraphrases=[text[::-1] for text in TEXTS], prices=np.arange(48))
        assert asking.model_.student.classifier.prices_ == handed
    with pytest.raises(ValueError, match="metadata routing"):
        classifier.fit(TEXTS, prices=np.arange(48))
    with pytest.raises(TypeError, match="unexpected keyword argument 'prices'"):
        _classifier().fit(TEXTS, prices=np.arange(48))


def test_a_weighing_student_in_a_pipeline_keeps_its_weights_under_routing():
    """Soft labels reach the last step where it requested weights, and are left out where it did not."""
    with sklearn.config_context(enable_metadata_routing=True):
        for last in (MultinomialNB().set_fit_request(sample_weight=True), MultinomialNB()):
            fitted = _classifier(student=make_pipeline(CountVectorizer(), last)).fit(TEXTS)
            assert fitted.score(TEXTS, TRUTH) == 1.0


def test_weights_reach_a_pipeline_that_requested_them_though_the_job_has_threads_of_its_own():
    """The caller's configuration of scikit-learn holds there too."""
    with sklearn.config_context(enable_metadata_routing=True):
        student = make_pipeline(CountVectorizer(), MultinomialNB().set_fit_request(sample_weight=True))
        fitted = _classifier(student=student)
        fitted.fit(TEXTS, sample_weight=np.ones(len(TEXTS)))
    assert fitted.score(TEXTS, TRUTH) == 1.0


def test_what_it_cannot_know_is_told():
    """No labels from anywhere, and a spec with a mistake in it."""
    with pytest.raises(ValueError, match="give a spec, or y"):
        FreeALClassifier().fit(TEXTS)
    with pytest.raises(SpecError, match="labels"):
        FreeALClassifier({"description": "x", "labels": []}).fit(TEXTS)
