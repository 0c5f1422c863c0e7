"""Judging labels by encoders that have not learned them: the pool in halves, each judged by what the other taught.

Heads on features that nobody trained (cross_fitting.py) cost next to nothing and know less than the student that is
trained in the end. An encoder that was fine-tuned on the other half knows about as much, and takes as long as the
training itself. Two folds, as in Lg-CoTrain (EMNLP 2025): with more, each would learn from more texts and all together
would take that many times as long.

An encoder learns an annotator's habits too, where its errors follow from the text. So both are heard, pooled in the log
domain: of 22 cells of four sets, 800 texts, annotators of 96, 85 and 70 % ended at 96.1, 87.5 and 75.4 % judged by
heads, at 96.1, 87.6 and 77.0 by encoders alone (one lost 2.2 points), at 96.3, 87.7 and 76.6 by both (one lost 0.5). It
was chosen on them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from freeal.settings import StudentSettings
from freeal.student.protocols import NO_LABEL
from freeal.student.training import linear_probe, temperature_scaling
from freeal.student.training.linear_probe import softmax

HALVES = 2
FEWEST_TEXTS = 200
"""Labelled texts. Of fewer, half are too few to fine-tune an encoder on; measured from 300 on."""
MOST_ON_CPU = 5_000
"""Labelled texts. Of so many, two cores take about ten minutes longer in each round, by the rates of
freeal/job/timing/stage_durations.py."""

FitWithout = Callable[[np.ndarray, int], np.ndarray]
"""Given labels that must not be learned from, bool [n], and the number of the half: the logits [n, labels] of all texts
under an encoder that was fine-tuned on the others."""


def is_worth_it(settings: StudentSettings, *, labelled: int, on_cpu: bool) -> bool:
    """Whether so many texts with a label are judged by encoders, as `settings.cross_fit` and `clean_split` say."""
    if settings.clean_split != "posterior" or settings.cross_fit == "head" or labelled < FEWEST_TEXTS:
        return False
    return settings.cross_fit == "encoder" or not on_cpu or labelled <= MOST_ON_CPU


def judged_by_halves(
    fit_without: FitWithout, heads: np.ndarray, label_ids: np.ndarray, *, seed: int, groups: np.ndarray | None
) -> np.ndarray:
    """Logits float64 [n, labels] of each text by `heads` [n, labels] and an encoder together, none of which has learned
    its label, the encoder also no label of a text of the same of `groups` (int [n], default: each its own). `label_ids`
    int [n]; for texts without a label it is the mean of both encoders.

    Or `heads` alone, where these foretell the labels better: of the first half, and then no other encoder is trained,
    or of all.
    """
    known = label_ids != NO_LABEL
    halves = np.full(len(label_ids), -1)
    of_known = None if groups is None else groups[known]
    halves[known] = linear_probe.folds_of(label_ids[known], seed=seed, groups=of_known) % HALVES
    if len(np.unique(halves[known])) < HALVES:
        return heads  # all texts are one group: no other can be learned from
    given: list[np.ndarray] = []
    logits = np.zeros(heads.shape)
    for number in range(HALVES):
        half = halves == number
        given.append(_pooled(fit_without(half, number), heads))
        logits[half] = given[-1][half]
        if number == 0 and not _foretells_better(logits[half], heads[half], label_ids[half]):
            return heads
    logits[~known] = np.mean([one[~known] for one in given], axis=0)
    return logits if _foretells_better(logits[known], heads[known], label_ids[known]) else heads


def _pooled(logits: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The mean of their log probabilities."""
    return np.asarray(np.mean([np.log(np.maximum(softmax(one), 1e-12)) for one in (logits, others)], axis=0))


def _foretells_better(logits: np.ndarray, others: np.ndarray, label_ids: np.ndarray) -> bool:
    """By likelihood, each at the temperature and the share of wrong labels that suit it best."""
    told, told_by_others = (temperature_scaling.log_likelihood(one, label_ids) for one in (logits, others))
    return told > told_by_others
