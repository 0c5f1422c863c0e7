"""The contract between the loop and any student, during training and after it.

Training and the served classifier are different types: a `Trainer` makes a `Student`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from freeal.compute.listener import OnStep
from freeal.executors.shard_task import Engine
from freeal.student.labelled_texts import LabelledTexts

if TYPE_CHECKING:
    import numpy as np

NO_LABEL = -1
"""Label id of a pool text the LLM gave no usable answer for."""


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
