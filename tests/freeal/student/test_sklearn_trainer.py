"""Any scikit-learn classifier as a student: it learns what all voices say, and keeps the contract of the others."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from freeal.compute.listener import unwatched
from freeal.errors import ConfigError, TrainingError
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL
from freeal.student.sklearn_trainer import SklearnStudent, SklearnTrainer, weight_parameter
from freeal.testing.weighed_labels import weighed

THINGS, PLACES = ("phone", "film", "lamp", "book", "chair", "cup", "coat"), ("here", "home", "town", "work")
TEXTS = [f"a {'good' if row % 2 else 'bad'} {THINGS[row % 7]} at {PLACES[row % 4]}" for row in range(60)]
TRUTH = np.array([row % 2 for row in range(60)])


def _pipeline(last=None):
    return make_pipeline(TfidfVectorizer(), last or LogisticRegression())


def _fit(classifier, ids, *, labels=("no", "yes"), seed=0):
    data = weighed(TEXTS, ids, labels=len(labels))
    return SklearnTrainer(classifier).fit(data, labels=labels, seed=seed, on_step=unwatched)


@pytest.mark.parametrize("last", [LogisticRegression(), MultinomialNB(), KNeighborsClassifier()])
def test_it_learns_a_separable_task_from_noisy_labels(last):
    """One label in five is wrong, and the student finds nearly all of them, with weights or without."""
    ids = TRUTH.copy()
    ids[::5] = 1 - ids[::5]
    training = _fit(_pipeline(last), ids)
    assert (training.proba.argmax(axis=1) == TRUTH).mean() >= 0.9
    assert (60, 2) == training.held_out.shape == training.proba.shape
    np.testing.assert_allclose(1.0, np.linalg.norm(training.embeddings, axis=1), atol=1e-5)
    assert training.losses[::5].mean() > training.losses[1::5].mean()


def test_a_text_is_judged_by_those_that_have_not_learned_it():
    """A classifier that learns by heart is no judge of what it has learned: its held-out logits are of others."""
    ids = np.random.default_rng(0).integers(0, 2, 60)
    training = _fit(_pipeline(KNeighborsClassifier(n_neighbors=1)), ids)
    assert (training.held_out.argmax(axis=1) == ids).mean() < 0.9


def test_the_same_seed_gives_the_same_student_and_the_callers_classifier_stays_unfitted():
    """A fit leaves nothing behind that the next one could see."""
    classifier = _pipeline()
    first, second = _fit(classifier, TRUTH), _fit(classifier, TRUTH)
    np.testing.assert_array_equal(first.proba, second.proba)
    assert not hasattr(classifier.steps[-1][1], "classes_")


def test_unknown_labels_and_labels_without_a_text():
    """Texts without a label are judged and not learned; a label nobody has is never the likeliest."""
    ids = TRUTH.copy()
    ids[:10] = NO_LABEL
    training = _fit(_pipeline(), ids, labels=("no", "yes", "never"))
    assert np.isnan(training.losses[:10]).all()
    assert (training.proba[:10].argmax(axis=1) == TRUTH[:10]).all()
    assert (training.proba[:, 2] == 0.0).all()
    only = _fit(_pipeline(), np.zeros(60, dtype=int))
    assert (only.proba[:, 0] == 1.0).all()


def test_a_saved_student_says_what_it_said(tmp_path):
    """Its folder holds the classifier and a card that says whose kind it is; reading and scoring are its two halves."""
    student = _fit(_pipeline(), TRUTH).student
    student.save(tmp_path)
    again = SklearnStudent.load(tmp_path)
    assert ("no", "yes") == again.labels
    np.testing.assert_array_equal(student.predict_proba(TEXTS), again.predict_proba(TEXTS))
    np.testing.assert_array_equal(student.predict_proba(TEXTS), again.score(again.read(TEXTS)))
    assert '"mode": "own"' in (tmp_path / "freeal.json").read_text(encoding="utf-8")


def test_what_cannot_be_a_student_is_told():
    """No probabilities, no labels, and a classifier that fails, each in our own words."""
    with pytest.raises(ConfigError, match=r"LinearSVC has no fit and predict_proba.*CalibratedClassifierCV"):
        SklearnTrainer(LinearSVC())
    with pytest.raises(TrainingError, match="no text has a label"):
        SklearnTrainer(_pipeline()).fit(
            LabelledTexts(TEXTS, [NO_LABEL] * 60), labels=("a", "b"), seed=0, on_step=unwatched
        )
    with pytest.raises(TrainingError, match=r"could not be fitted: .*vocabulary"):
        _fit(make_pipeline(TfidfVectorizer(token_pattern="zzz"), LogisticRegression()), TRUTH)


def test_where_weights_go():
    """To the last step of a pipeline, by its name; nowhere where they are not taken."""
    assert "sample_weight" == weight_parameter(LogisticRegression())
    assert "logisticregression__sample_weight" == weight_parameter(_pipeline())
    assert weight_parameter(_pipeline(KNeighborsClassifier())) is None
