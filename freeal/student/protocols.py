"""The contract between the loop and any student, during training and after it.

Training and the served classifier are different types: a `Trainer` makes a `Student`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from freeal.compute.listener import OnStep
from freeal.executors.shard_task import Engine

if TYPE_CHECKING:
    import numpy as np

NO_LABEL = -1
"""Label id of a pool text the LLM gave no usable answer for."""

Weigh = Callable[["np.ndarray"], "np.ndarray"]
"""From a student's out-of-fold logits [n, labels] to what it is to be taught, float [n, labels], rows of sum 1."""


@dataclasses.dataclass(frozen=True, slots=True)
class LabelledTexts:
    """What a student is taught, indexed alike.

    `label_ids` [n]: NO_LABEL where unknown, and some of the others are wrong. `candidates` float [n, labels]: weights
    of the labels a text may have, its own among them, 0 for all others; the student resolves which one it is
    (partial-label learning). `paraphrases` [n]: the same in other words, for consistency; "" where there is none.
    `confirmed` bool [n]: labels a person has given; they are always learned from and never judged. `groups` int [n]:
    texts of one group are nearly the same, and no part of them is learned from where the rest is used to judge.
    `weigh` says what is taught in the place of labels; None: the labels as they are. `weigh_of` gives the same for
    the texts at some rows alone, int [m].

    Where a text may have several labels, `label_ids` is an int array [n, labels] of 0 and 1, rows of NO_LABEL where
    nothing is known, and `weigh_each` weighs each label by itself, from logits [n, 2] of no and yes; None: as they are.
    """

    texts: Sequence[str]
    label_ids: Sequence[int] | np.ndarray
    candidates: np.ndarray | None = None
    paraphrases: Sequence[str] | None = None
    confirmed: np.ndarray | None = None
    groups: np.ndarray | None = None
    weigh: Weigh | None = None
    weigh_of: Callable[[np.ndarray], Weigh] | None = None
    weigh_each: Sequence[Weigh] | None = None

    def question(self, label: int) -> LabelledTexts:
        """Of several labels one alone: the same texts with the ids 0 (no) and 1 (yes)."""
        import numpy as np

        ids = np.asarray(self.label_ids)[:, label]
        weigh = None if self.weigh_each is None else self.weigh_each[label]
        return dataclasses.replace(self, label_ids=ids.tolist(), weigh=weigh, weigh_each=None)

    def part(self, rows: np.ndarray) -> LabelledTexts:
        """The texts at `rows`, int [m], in that order, as if there were no others. Without `weigh_of` they are taught
        their labels as they are."""
        return LabelledTexts(
            [self.texts[row] for row in rows],
            [self.label_ids[row] for row in rows],
            candidates=None if self.candidates is None else self.candidates[rows],
            paraphrases=None if self.paraphrases is None else [self.paraphrases[row] for row in rows],
            confirmed=None if self.confirmed is None else self.confirmed[rows],
            groups=None if self.groups is None else self.groups[rows],
            weigh=None if self.weigh_of is None else self.weigh_of(rows),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class ReadText:
    """A text as the student reads it. `cut`: it was longer than that, and the rest counts for nothing."""

    tokens: Sequence[int]
    cut: bool


class Student(Protocol):
    """A trained classifier."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names; column i of `predict_proba` is `labels[i]`."""

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Calibrated class probabilities, float32 [len(texts), len(labels)], in the order of `texts`."""

    def read(self, texts: Sequence[str]) -> list[ReadText]:
        """The first half of `predict_proba`, which may run in another thread than the second."""

    def score(self, texts: Sequence[ReadText]) -> np.ndarray:
        """The second half: calibrated class probabilities, float32 [len(texts), len(labels)]."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Sentence embeddings of unit length, float32 [len(texts), d]."""

    def save(self, folder: Path) -> None:
        """Write a Hugging Face model folder (config with id2label, safetensors, tokenizer, freeal.json) into an
        existing folder; a student of another kind writes what whoever made it needs to load it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Training:
    """What one fit leaves behind. Arrays are indexed like the texts given to `fit`.

    `held_out` float32 [n, labels]: logits of each text under a classifier that has not learned its label.
    `proba` float32 [n, labels]: the trained student's calibrated probabilities on the pool.
    `embeddings` float32 [n, d], float16 of very many: unit length, for selection and retrieval.
    `losses` float32 [n]: cross entropy of each label under `held_out`; nan where there was no label.

    Of several labels each column of `held_out` holds the logits of yes against no, each of `proba` a probability of
    its own, and `losses` is summed over labels; `thresholds` [labels] are those from which the student gives each.

    `engine` and `processes` say who fine-tuned it, and how many together.
    """

    student: Student
    held_out: np.ndarray
    proba: np.ndarray
    embeddings: np.ndarray
    losses: np.ndarray
    thresholds: tuple[float, ...] = ()
    engine: Engine = "local"
    processes: int = 1


class Trainer(Protocol):
    """Trains a fresh student on noisy labels (DESIGN.md 4.3; FreeAL section 3.3)."""

    @property
    def description(self) -> dict[str, str]:
        """`model`, `mode` and `device` in use, for metrics.json."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of the untrained encoder, unit length, float32 [n, d]: for choices before the first round."""

    def fit(self, data: LabelledTexts, *, labels: Sequence[str], seed: int, on_step: OnStep) -> Training:
        """Train a fresh student over `labels`. Raises `TrainingError` when no text has a label."""


@runtime_checkable
class ComparesStudents(Protocol):
    """A trainer that chooses among several students at its first fit (freeal/student/comparison/)."""

    @property
    def candidates(self) -> list[dict[str, str]]:
        """What is known of each before the first fit, and the same after it."""

    @property
    def comparison(self) -> dict[str, Any] | None:
        """How each did, for metrics.json; None before the first fit, and where there was too little to tell."""

    @property
    def chosen_name(self) -> str | None:
        """The one that is trained, by its name in `student.model`; None before the first fit."""

    def remember_in(self, folder: Path, *, has_trained: bool) -> None:
        """Keep what is found below `folder`, and go on with what is there; `has_trained`: a round was finished with
        it."""


@runtime_checkable
class LoadsStudents(Protocol):
    """A trainer that can read back what its students save, where they are no Hugging Face models."""

    def load(self, folder: Path) -> Student:
        """The student in a model folder."""
