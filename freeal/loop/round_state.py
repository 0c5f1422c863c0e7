"""What a finished round knows: answers, posterior, the student's view of the pool, the demonstrations it chose."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from freeal.types import Annotation, Demonstration


@dataclasses.dataclass(frozen=True, slots=True)
class RoundState:
    """A finished round. Arrays and `annotations` are indexed by pool index.

    `asked` are this round's own answers, `annotations` the best known of all rounds so far; what the LLM was shown in
    this round was drawn from `demonstrations`, `representatives` were chosen from the trained student for the next.
    `held_out` [n, labels] are the logits of heads that did not learn a text's label, `posterior` [n, labels] is what
    all voices say together, `clean_probability` [n] its probability of the annotation's label, 0 where there is none;
    `proba` [n, labels] is the student's.

    Where a text may have several labels, `held_out` are logits of yes against no, and each of `posterior` and `proba`
    is a probability of its own; `metrics` then holds the student's `thresholds`, by label.
    """

    round: int
    asked: tuple[Annotation, ...]
    annotations: tuple[Annotation, ...]
    demonstrations: tuple[Demonstration, ...]
    representatives: tuple[Demonstration, ...]
    held_out: np.ndarray
    posterior: np.ndarray
    clean_probability: np.ndarray
    proba: np.ndarray
    embeddings: np.ndarray
    losses: np.ndarray
    metrics: dict[str, Any]
    opinions: tuple[tuple[Annotation, ...], ...] = ()
    """Of several language models, what each said so far, in their order; `annotations` are the last usable ones."""
    settled: bool = False
    """Its answers changed too little to train on: the student is that of the round before."""
    cut_off: bool = False
    """A budget left questions unsent, its own or those before the first round."""

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """From which probability the student gives each of several labels; None where a text has one."""
        found: dict[str, float] | None = self.metrics.get("thresholds")
        return None if found is None else tuple(found.values())
