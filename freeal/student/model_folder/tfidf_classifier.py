"""A trained student of words: scores texts, and can be saved as words and numbers. Nothing of it is a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeal.errors import CorruptModelError, ModelFolderError, Where
from freeal.student.model_folder import student_metadata as cards
from freeal.student.model_folder.whole_text_reader import WholeTextReader
from freeal.types import TFIDF

if TYPE_CHECKING:
    import numpy as np

TERMS, WEIGHTS = "terms.json", "model.safetensors"
VECTORIZER: Mapping[str, Any] = {
    "sublinear_tf": True,
    "ngram_range": (1, 2),
    # signs count as words too: no text that is not blank is empty
    "token_pattern": r"(?u)\w+|[^\w\s]",
}
"""How a text becomes terms; a saved student means nothing with another way."""
_TEXTS_AT_ONCE = 10_000
_HINT = "train the model again, or restore its folder from a copy"


class TfidfClassifier(WholeTextReader):
    """A `Student`: `terms` [t], their inverse document frequencies `idf` [t], `weight` [labels, t], `bias` [labels].

    The temperature is in `weight` and `bias` already.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        terms: Sequence[str],
        *,
        idf: np.ndarray,
        weight: np.ndarray,
        bias: np.ndarray,
        temperature: float,
    ) -> None:
        self.labels = labels
        self.terms = list(terms)
        self._idf, self._weight, self._bias = idf, weight, bias
        self.card = cards.Card(
            labels=labels, base_model=TFIDF, mode=TFIDF, max_length=0, temperature=float(temperature)
        )
        self._vectorizer = self._vectorizer_of_terms()

    @classmethod
    def load(cls, folder: Path, card: cards.Card) -> TfidfClassifier:
        """The student in a model folder. Raises `CorruptModelError` where a file is missing, damaged or contradicts
        another."""
        import safetensors.numpy
        from safetensors import SafetensorError

        for name in (TERMS, WEIGHTS):
            if not (folder / name).is_file():
                raise CorruptModelError("is missing", where=Where(file=folder / name), hint=_HINT)
        try:
            terms = json.loads((folder / TERMS).read_text(encoding="utf-8"))
            tensors = safetensors.numpy.load_file(folder / WEIGHTS)
            idf, weight, bias = tensors["idf"], tensors["weight"], tensors["bias"]
        except (OSError, ValueError, KeyError, SafetensorError) as cause:
            raise CorruptModelError(
                f"the model cannot be read: {cause}", where=Where(file=folder), hint=_HINT
            ) from cause
        fits = isinstance(terms, list) and idf.shape == (len(terms),) and bias.shape == (len(card.labels),)
        if not fits or weight.shape != (len(card.labels), len(terms)) or len(set(map(str, terms))) != len(terms):
            problem = f"does not fit {TERMS} and the labels of {cards.FILE_NAME}"
            raise CorruptModelError(problem, where=Where(file=folder / WEIGHTS), hint=_HINT)
        found = cls(
            card.labels,
            [str(term) for term in terms],
            idf=idf,
            weight=weight,
            bias=bias,
            temperature=card.temperature,
        )
        found.card = card
        return found

    @property
    def size_bytes(self) -> int:
        """About what `save` writes."""
        numbers = int(self._idf.size + self._weight.size + self._bias.size) * 4
        return numbers + sum(len(term.encode()) + 4 for term in self.terms)

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Calibrated class probabilities, float32 [len(texts), len(labels)], in the order of `texts`."""
        import numpy as np

        from freeal.student.training.linear_probe import softmax

        proba = np.zeros((len(texts), len(self.labels)), dtype=np.float32)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            counted = self._vectorizer.transform(texts[start : start + _TEXTS_AT_ONCE])
            proba[start : start + _TEXTS_AT_ONCE] = softmax(np.asarray(counted @ self._weight.T) + self._bias)
        return proba

    def save(self, folder: Path) -> None:
        """Write terms, float32 safetensors and freeal.json into an existing folder. Raises `ModelFolderError` where it
        cannot be written."""
        import numpy as np
        import safetensors.numpy

        tensors = {"idf": self._idf, "weight": self._weight, "bias": self._bias}
        numbers = {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in tensors.items()}
        try:
            (folder / TERMS).write_text(json.dumps(self.terms, ensure_ascii=False), encoding="utf-8")
            safetensors.numpy.save_file(numbers, folder / WEIGHTS)
            (folder / WEIGHTS).chmod(folder.stat().st_mode & 0o666)
            cards.write_card(folder, self.card)
        except OSError as cause:
            raise ModelFolderError(f"{folder}: the model cannot be written: {cause.strerror or cause}") from cause

    def _vectorizer_of_terms(self) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(vocabulary=self.terms, **VECTORIZER)
        vectorizer.idf_ = self._idf
        return vectorizer
