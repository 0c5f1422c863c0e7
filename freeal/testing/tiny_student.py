"""A student for tests: naive Bayes over hashed words, trained in milliseconds, without torch.

It obeys the `Trainer` and `Student` contracts in full, so a loop that works with it works with a real one.
"""

from __future__ import annotations

import dataclasses
import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from freeal.compute.listener import OnStep
from freeal.errors import TrainingError
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL, ReadText, Training

_WORDS = 256
FOLDS = 4


def _counts(texts: Sequence[str]) -> np.ndarray:
    """Word counts, float32 [n, 256]; words are hashed, so no vocabulary is needed."""
    return _table([_words(text) for text in texts])


def _words(text: str) -> list[int]:
    return [zlib.crc32(word.encode()) % _WORDS for word in re.findall(r"\w+", text.lower())]


def _table(texts: Sequence[Sequence[int]]) -> np.ndarray:
    counts = np.zeros((len(texts), _WORDS), dtype=np.float32)
    for row, words in enumerate(texts):
        for word in words:
            counts[row, word] += 1
    return counts


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


@dataclasses.dataclass(frozen=True)
class TinyStudent:
    """Naive Bayes: `log_prior` [labels], `log_likelihood` [labels, words]."""

    labels: tuple[str, ...]
    log_prior: np.ndarray
    log_likelihood: np.ndarray

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Class probabilities, float32 [n, labels]."""
        return self._proba(_counts(texts))

    def _proba(self, counts: np.ndarray) -> np.ndarray:
        joint = counts @ self.log_likelihood.T + self.log_prior
        joint -= joint.max(axis=1, keepdims=True)
        proba = np.exp(joint)
        return np.asarray(proba / proba.sum(axis=1, keepdims=True), dtype=np.float32)

    def read(self, texts: Sequence[str]) -> list[ReadText]:
        """Hashed words of each text, none left out."""
        return [ReadText(_words(text), cut=False) for text in texts]

    def score(self, texts: Sequence[ReadText]) -> np.ndarray:
        """Class probabilities, float32 [n, labels]."""
        return self._proba(_table([text.tokens for text in texts]))

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit-length word counts."""
        return _unit(_counts(texts))

    def save(self, folder: Path) -> None:
        """Write tiny.json."""
        content = {"labels": self.labels, "likelihood": self.log_likelihood.tolist(), "prior": self.log_prior.tolist()}
        (folder / "tiny.json").write_text(json.dumps(content), encoding="utf-8")


def load(folder: Path) -> TinyStudent:
    """The student that was saved into `folder`."""
    content = json.loads((folder / "tiny.json").read_text(encoding="utf-8"))
    return TinyStudent(tuple(content["labels"]), np.array(content["prior"]), np.array(content["likelihood"]))


class TinyTrainer:
    """Makes a `TinyStudent`; `fits` counts how often."""

    def __init__(self) -> None:
        self.fits = 0

    @property
    def description(self) -> dict[str, str]:
        """For metrics.json."""
        return {"model": "tiny", "mode": "own", "device": "cpu"}

    def load(self, folder: Path) -> TinyStudent:
        """A student of this trainer, from its folder."""
        return load(folder)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit-length word counts."""
        return _unit(_counts(texts))

    def fit(self, data: LabelledTexts, *, labels: Sequence[str], seed: int, on_step: OnStep) -> Training:
        """Fit on the labelled texts; nothing in it is random. Raises `TrainingError` when there are none.

        Candidates, paraphrases and `data.weigh` are not used.
        """
        del seed
        self.fits += 1
        texts, ids = data.texts, np.array(data.label_ids)
        known = np.flatnonzero(ids != NO_LABEL)
        if not len(known):
            raise TrainingError("no text has a label")
        student = _naive_bayes(_counts(texts)[known], ids[known], tuple(labels))
        proba = student.predict_proba(texts)
        held_out = np.log(np.maximum(proba, 1e-6))
        for fold in range(FOLDS):
            inside, outside = known[known % FOLDS != fold], known[known % FOLDS == fold]
            if len(inside) and len(outside):
                other = _naive_bayes(_counts(texts)[inside], ids[inside], tuple(labels))
                held_out[outside] = np.log(np.maximum(other.predict_proba([texts[index] for index in outside]), 1e-6))
        losses = np.full(len(texts), np.nan, dtype=np.float32)
        losses[known] = -held_out[known, ids[known]]
        on_step(1, 1)
        return Training(student, held_out, proba, student.embed(texts), losses)


def _naive_bayes(counts: np.ndarray, ids: np.ndarray, labels: tuple[str, ...]) -> TinyStudent:
    totals = np.stack([counts[ids == label].sum(axis=0) for label in range(len(labels))]) + 0.5
    sizes = np.array([(ids == label).sum() for label in range(len(labels))]) + 0.5
    likelihood = np.log(totals / totals.sum(axis=1, keepdims=True))
    return TinyStudent(labels, np.log(sizes / sizes.sum()), likelihood)
