"""The student of words alone: logistic regression on tf-idf of words and pairs of words. No encoder, seconds to train.

It is cross-fitted and taught as any classifier of scikit-learn is (sklearn_trainer.py); what is saved is no pickle but
words and numbers (model_folder/tfidf_classifier.py), so everything that loads a student loads it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from freeal.compute.listener import OnStep
from freeal.student.hashed_ngrams import hashed_ngrams
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.model_folder.tfidf_classifier import VECTORIZER, TfidfClassifier
from freeal.student.protocols import NO_LABEL, Training
from freeal.student.sklearn_trainer import SklearnTrainer
from freeal.student.training import temperature_scaling
from freeal.types import TFIDF

INVERSE_REGULARISATION = 10.0
MOST_TERMS = 50_000
"""Words and pairs that are kept, the most frequent first: 50,000 with six labels take 1.4 MB."""


class TfidfTrainer:
    """Fits words to labels afresh for each round. Of the settings of a student, only the seed means something here."""

    @property
    def description(self) -> dict[str, str]:
        """For metrics.json."""
        return {"model": TFIDF, "mode": TFIDF, "device": "cpu"}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Hashed character n-grams of unit length, float32 [n, 512]."""
        return hashed_ngrams(texts)

    def fit(self, data: LabelledTexts, *, labels: Sequence[str], seed: int, on_step: OnStep) -> Training:
        """Fit tf-idf and its linear model on noisy labels, not on paraphrases. Raises `TrainingError` when no text has
        a label."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        pipeline = make_pipeline(
            TfidfVectorizer(max_features=MOST_TERMS, **VECTORIZER),
            LogisticRegression(C=INVERSE_REGULARISATION, max_iter=300, tol=1e-3),
        )
        trained = SklearnTrainer(pipeline).fit(data, labels=labels, seed=seed, on_step=on_step)
        student = _tfidf_classifier_of(
            trained.student, data.texts, labels, temperature=_tfidf_temperature(data, trained.held_out)
        )
        return dataclasses.replace(trained, student=student, proba=student.predict_proba(data.texts))


def _tfidf_temperature(data: LabelledTexts, held_out: np.ndarray) -> float:
    ids = np.asarray(data.label_ids)
    known = ids != NO_LABEL
    if data.weigh is None:
        return temperature_scaling.temperature(held_out[known], ids[known])
    return temperature_scaling.temperature_for_targets(held_out[known], data.weigh(held_out)[known])


def _tfidf_classifier_of(
    fitted: Any, texts: Sequence[str], labels: Sequence[str], *, temperature: float
) -> TfidfClassifier:
    """The same classifier as words and numbers; where only one label was ever met, no word says anything."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    met = np.asarray(fitted.classifier.classes_, dtype=np.int64)
    if len(met) > 1:
        vectorizer, model = (step for _, step in fitted.classifier.steps)
        # one row of coefficients for two labels: half to each side gives the same probabilities
        halves = len(met) == 2
        coefficients = np.concatenate([-model.coef_ / 2, model.coef_ / 2]) if halves else model.coef_
        intercepts = np.concatenate([-model.intercept_ / 2, model.intercept_ / 2]) if halves else model.intercept_
    else:
        vectorizer = TfidfVectorizer(max_features=MOST_TERMS, **VECTORIZER).fit(texts)
        coefficients, intercepts = np.zeros((1, len(vectorizer.vocabulary_))), np.zeros(1)
    weight = np.zeros((len(labels), len(vectorizer.vocabulary_)), dtype=np.float32)
    # a label without a text: as improbable as one text in twice as many would make it
    bias = np.full(len(labels), -np.log(2.0 * len(texts) + 2.0), dtype=np.float32)
    weight[met], bias[met] = coefficients, intercepts
    terms = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
    return TfidfClassifier(
        tuple(labels),
        terms,
        idf=np.asarray(vectorizer.idf_),
        weight=weight / temperature,
        bias=bias / temperature,
        temperature=temperature,
    )
