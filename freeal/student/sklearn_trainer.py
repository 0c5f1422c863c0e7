"""A student of your own: any scikit-learn classifier of texts, a pipeline mostly.

    trainer = SklearnTrainer(make_pipeline(TfidfVectorizer(), LogisticRegression()))

It is cross-fitted as the encoders' heads are (freeal/student/training/head_cross_fitting.py), then taught all voices
together: each text once for each label it may well have, weighed by that label's probability, where the classifier
takes `sample_weight`; else its likeliest label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from freeal.compute.listener import OnStep
from freeal.errors import ConfigError, TrainingError
from freeal.student.hashed_ngrams import hashed_ngrams
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.model_folder import student_metadata
from freeal.student.model_folder.whole_text_reader import WholeTextReader
from freeal.student.protocols import NO_LABEL, Training
from freeal.student.training import linear_probe, training_targets
from freeal.student.training.head_cross_fitting import label_losses

FILE_NAME = "classifier.joblib"
"""A pickle: whoever loads it runs what is in it, so `freeal.load` never does by itself."""
_LEAST_TARGET = 0.02
_FLOOR = 1e-6


class SklearnStudent(WholeTextReader):
    """A fitted classifier of texts as a `Student`. `labels` may be more than it has met."""

    def __init__(self, classifier: Any, labels: Sequence[str]) -> None:
        self.classifier = classifier
        self.labels = tuple(labels)

    @classmethod
    def load(cls, folder: Path) -> SklearnStudent:
        """The student in a model folder. It is unpickled: code in it is run, so load what you trust."""
        import joblib

        classifier, labels = joblib.load(folder / FILE_NAME)
        return cls(classifier, labels)

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Class probabilities, float32 [len(texts), len(labels)], as the classifier gives them; 0 for a label it has
        never met."""
        proba = np.zeros((len(texts), len(self.labels)), dtype=np.float32)
        if len(texts):
            proba[:, np.asarray(self.classifier.classes_, dtype=np.int64)] = self.classifier.predict_proba(list(texts))
        return proba

    def save(self, folder: Path) -> None:
        """Write the classifier into an existing folder."""
        import joblib

        joblib.dump((self.classifier, self.labels), folder / FILE_NAME)
        student_metadata.write_own(folder, labels=self.labels, model=named(self.classifier))


class SklearnTrainer:
    """Trains a copy of `classifier`, which is left as it is. It needs `predict_proba`.

    `metadata`, by name, says of texts what is handed to `fit` beside them. Raises `ConfigError`.
    """

    def __init__(self, classifier: Any, *, metadata: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        from sklearn import get_config

        if not hasattr(classifier, "fit") or not hasattr(classifier, "predict_proba"):
            what = type(classifier).__name__
            hint = "a classifier without it can be wrapped: sklearn.calibration.CalibratedClassifierCV"
            raise ConfigError(f"student: {what} has no fit and predict_proba", hint=hint)
        self.classifier = classifier
        self.metadata = metadata or {}
        self._config = get_config()  # the caller's; the job trains in threads of its own, which begin with the defaults

    @property
    def description(self) -> dict[str, str]:
        """For metrics.json."""
        return {"model": named(self.classifier), "mode": student_metadata.OWN, "device": "cpu"}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.classifier!r})"

    def load(self, folder: Path) -> SklearnStudent:
        """What a student of this trainer left in a model folder."""
        return SklearnStudent.load(folder)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Hashed character n-grams of unit length, float32 [n, 512]."""
        return hashed_ngrams(texts)

    def fit(self, data: LabelledTexts, *, labels: Sequence[str], seed: int, on_step: OnStep) -> Training:
        """Train the scikit-learn classifier on noisy labels, not on paraphrases. Raises `TrainingError` when no text
        has a label, or when the classifier cannot be fitted."""
        ids = training_targets.checked_target_ids(data.label_ids, texts=len(data.texts), labels=len(labels))
        known = np.flatnonzero(ids != NO_LABEL)
        groups = None if data.groups is None else data.groups[known]
        folds = linear_probe.folds_of(ids[known], seed=seed, groups=groups)
        steps = int(folds.max()) + 3
        held_out = np.zeros((len(ids), len(labels)))
        texts, plain = np.array(data.texts, dtype=object), np.eye(len(labels))[ids]
        for fold in range(int(folds.max()) + 1):
            inside, outside = known[folds != fold], known[folds == fold]
            if len(inside) and len(outside):
                held_out[outside] = self._logits(
                    texts[inside], np.eye(len(labels))[ids[inside]], labels, texts[outside]
                )
            on_step(fold + 1, steps)
        unknown = np.setdiff1d(np.arange(len(ids)), known)
        if len(unknown):
            held_out[unknown] = self._logits(texts[known], plain[known], labels, texts[unknown])
        on_step(steps - 1, steps)
        targets = self._targets(data, ids, held_out, labels=len(labels))
        student = self._fit_clone(texts[known], targets[known], labels)
        on_step(steps, steps)
        return Training(
            student=student,
            held_out=held_out.astype(np.float32),
            proba=student.predict_proba(data.texts),
            embeddings=hashed_ngrams(data.texts),
            losses=label_losses(held_out, ids),
        )

    def _targets(self, data: LabelledTexts, ids: np.ndarray, held_out: np.ndarray, *, labels: int) -> np.ndarray:
        if data.weigh is None:
            return training_targets.resolve_targets(ids, data.candidates, held_out, labels=labels)[0]
        return data.weigh(held_out)

    def _logits(self, texts: np.ndarray, targets: np.ndarray, labels: Sequence[str], judged: np.ndarray) -> np.ndarray:
        proba = self._fit_clone(texts, targets, labels).predict_proba(list(judged))
        return np.asarray(np.log(np.maximum(proba, _FLOOR)))

    def _fit_clone(self, texts: np.ndarray, targets: np.ndarray, labels: Sequence[str]) -> SklearnStudent:
        """A copy, taught `targets` [texts, labels]."""
        from sklearn import config_context

        with config_context(**self._config):
            return self._fit_clone_on_targets(texts, targets, labels)

    def _fit_clone_on_targets(self, texts: np.ndarray, targets: np.ndarray, labels: Sequence[str]) -> SklearnStudent:
        from sklearn.base import clone
        from sklearn.dummy import DummyClassifier

        weighed = weight_parameter(self.classifier)
        if weighed is None:
            rows, ids = np.arange(len(texts)), targets.argmax(axis=1)
        else:
            rows, ids = np.nonzero(targets >= _LEAST_TARGET)
        given = {name: np.array([of[text] for text in texts[rows]]) for name, of in self.metadata.items()}
        if weighed is not None:
            given[weighed] = targets[rows, ids] * given.get(weighed, 1.0)
        # one label alone is more than some classifiers can bear
        classifier, given = (clone(self.classifier), given) if len(set(ids.tolist())) > 1 else (DummyClassifier(), {})
        try:
            classifier.fit(list(texts[rows]), ids, **given)
        except ValueError as cause:
            raise TrainingError(f"the classifier could not be fitted: {cause}") from cause
        return SklearnStudent(classifier, labels)


def weight_parameter(classifier: Any) -> str | None:
    """What its `fit` calls the weights of its samples; None where it takes none."""
    from sklearn import get_config
    from sklearn.utils.metadata_routing import get_routing_for_object
    from sklearn.utils.validation import has_fit_parameter

    if not hasattr(classifier, "steps"):
        return "sample_weight" if has_fit_parameter(classifier, "sample_weight") else None
    if get_config()["enable_metadata_routing"]:  # then a pipeline hands on what its steps have requested, and no more
        requested = get_routing_for_object(classifier).consumes("fit", ["sample_weight"])
        return "sample_weight" if requested else None
    name, last = classifier.steps[-1]
    inner = None if last in (None, "passthrough") else weight_parameter(last)
    return None if inner is None else f"{name}__{inner}"


def named(classifier: Any) -> str:
    """What it is, by its last step."""
    last = classifier.steps[-1][1] if hasattr(classifier, "steps") else classifier
    return f"scikit-learn {type(last).__name__}"
