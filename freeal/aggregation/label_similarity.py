"""What the labels' own meanings say about a text: its nearness to each of them under the pretrained encoder.

A sentence encoder that was never trained for the task still knows that "a date or a quantity" is near to "How many".
It errs elsewhere than a small language model does, so the two together are right more often than either, unless the
encoder hardly tells the meanings apart. SmolLM2-135M's pooled answers, nearness alone, both alike, both as weighed
here: MR 84.2, 69.0, 78.9, 84.0 % (800 rows); CR 85.5, 76.3, 84.0, 86.0 (600); TREC 44.8, 46.8, 54.2, 54.2 (400);
AG News 71.8, 77.8, 82.0, 82.0 (400). Names in front of the meanings made it worse on three of the four.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from freeal.aggregation.learnability import cohens_kappa
from freeal.compute import scratch_arrays
from freeal.llm.local.score_calibration import calibrate_scores
from freeal.selection.label_shortlist import label_text
from freeal.types import Annotation, Label

SHARPNESS = 0.75
"""Power of the product of both voices where they count alike. At 1 they would be taken for independent, at 1/2 for one
and the same; between, confidence and accuracy differ least (mean calibration error over the four sets 0.08; 0.11 at 1,
0.12 at 1/2)."""
_SHARPNESS_ALONE = 1.25
"""The same of pooled answers that nearness hardly counts beside: right more often than the single ones that calibration
had in view. Calibration error on two draws each of MR and CR 0.04 (0.07 at 1), on three more sets of sentiment 0.06
(0.08); where the answers are worth nothing, 0.23 (0.20)."""
LEAST_AGREEMENT = 0.1
"""Cohen's kappa with the answers below which nearness says nothing: labels called A and B, an encoder that is none of
sentences. On the four sets it is 0.26 and more."""
_FULL_WEIGHT_APART = 2 / 3
"""1 - cosine of the labels' meanings from which nearness counts as much as the answers. It is 0.09 on MR, 0.14 on CR,
0.7 and 0.8 on AG News and TREC, where 0.0, 0.3, 1.2 and 1.2 times as much would have been best by the true labels. On
sets that were not looked at before it is 0.15 (three of sentiment: 0.2 to 0.5 best) and 0.73 (Reuters: 1.1)."""
_SCALE = 20.0
"""Cosines spread over some hundredths; calibration expects log-probabilities."""
_LEAST_PROBABILITY = 1e-9


def nearness_to_labels(
    texts: Sequence[str], labels: Sequence[Label], embed: Callable[[Sequence[str]], np.ndarray]
) -> np.ndarray:
    """Probabilities float64 [n, labels] of the labels by nearness alone, calibrated over the texts like any scores.

    `embed` gives unit-length embeddings. A label without a description is taken by its name.
    """
    meanings = _embedded_meanings(labels, embed)
    vectors = embed(texts)
    pieces = scratch_arrays.pieces(len(texts))
    near = [_SCALE * scratch_arrays.widened(vectors[piece]) @ meanings.T for piece in pieces]
    return calibrate_scores(np.concatenate(near) if near else vectors @ meanings.T)


def nearness_weight(labels: Sequence[Label], embed: Callable[[Sequence[str]], np.ndarray]) -> float:
    """How much nearness counts beside a small model's answers, 0 to 1, by how far apart the labels' meanings are.

    A text's nearness is measured along the difference of the meanings, and what else the text is about disturbs it
    alike however small that is: the evidence grows with its square, 2 - 2 cosine.
    """
    meanings = _embedded_meanings(labels, embed)
    others = ~np.eye(len(labels), dtype=bool)
    apart = 1.0 - float((meanings @ meanings.T)[others].mean())
    return min(max(apart / _FULL_WEIGHT_APART, 0.0), 1.0)


def joined_with_nearness(
    notes: Sequence[Annotation], near: np.ndarray, names: tuple[str, ...], *, weight: float = 1.0
) -> list[Annotation]:
    """Annotations whose distribution takes `near` [n, labels] into account, at `weight` 1 as much as the answers
    themselves; one without a distribution stays as it is, and all do where the two agree no better than by chance. A
    label that was not among those a text was asked about (probability 0: it was off the shortlist) stays out."""
    scored = [position for position, note in enumerate(notes) if note.distribution is not None]
    said = np.array([names.index(notes[position].label or names[0]) for position in scored], dtype=np.int64)
    if cohens_kappa(said, near[scored].argmax(axis=1), labels=len(names)) < LEAST_AGREEMENT:
        return list(notes)
    return [
        note if note.distribution is None else _joined_with_nearness(note, row, names, weight)
        for note, row in zip(notes, near, strict=True)
    ]


def _joined_with_nearness(note: Annotation, near: np.ndarray, names: tuple[str, ...], weight: float) -> Annotation:
    said = np.array(note.distribution)
    both = np.where(said > 0.0, said * np.maximum(near, _LEAST_PROBABILITY) ** weight, 0.0)
    mean = both ** (_SHARPNESS_ALONE - weight * (_SHARPNESS_ALONE - SHARPNESS))
    mean /= mean.sum()
    best = int(mean.argmax())
    return dataclasses.replace(note, label=names[best], confidence=float(mean[best]), distribution=tuple(mean.tolist()))


def _embedded_meanings(labels: Sequence[Label], embed: Callable[[Sequence[str]], np.ndarray]) -> np.ndarray:
    return embed([label.description or label_text(label) for label in labels])
