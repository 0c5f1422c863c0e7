"""Several answers to one text as one annotation.

A small model's answer hangs on which demonstrations it was shown, in which order; its mistakes differ from set to set
while what it knows does not. Asked with several sets, and averaged in the log domain, it is right more often than with
any one of them. How much each set counts, freeal/aggregation/learnability.py decides. Only a model that gives a
probability for every label can be pooled like this. An instructed model's newer answer stands before its older ones,
which are kept: where they differ it is less sure (label_posterior.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from freeal.aggregation import label_choice
from freeal.types import Annotation, Kind

_LEAST_PROBABILITY = 1e-9


def pool_answers(notes: Sequence[Annotation], labels: Sequence[str], kind: Kind = "single") -> Annotation:
    """One annotation of the same text from several, the newest last.

    Where all usable ones carry a distribution: their weighted geometric mean (a logarithmic opinion pool), which weighs
    as much as all of them; of several labels that of each one's yes and no. Else the newest usable one, which keeps
    the labels of those before it; else the newest that names a branch of labels; else the newest.
    """
    usable = [note for note in notes if note.label is not None]
    newest = (usable or [note for note in notes if note.is_answer] or list(notes))[-1]
    distributions = [note.distribution for note in usable if note.distribution is not None]
    if len(usable) < 2:
        return newest
    if len(distributions) < len(usable):
        before = (label for note in usable[:-1] for label in (*note.earlier, note.label) if label is not None)
        return dataclasses.replace(newest, earlier=(*before, *newest.earlier))
    weights = np.array([note.weight for note in usable])
    logs = np.log(np.maximum(np.array(distributions), _LEAST_PROBABILITY))
    mean = np.exp(weights @ logs / weights.sum())
    if kind == "multi":
        against = np.log(np.maximum(1.0 - np.array(distributions), _LEAST_PROBABILITY))
        mean /= mean + np.exp(weights @ against / weights.sum())
        [label], [sure] = label_choice.labels_of(mean[None], labels, kind)
    else:
        mean /= mean.sum()
        best = int(mean.argmax())
        label, sure = labels[best], mean[best]
    return dataclasses.replace(
        newest,
        label=label,
        confidence=float(sure),
        distribution=tuple(mean.tolist()),
        from_store=all(note.from_store for note in usable),
        weight=float(weights.sum()),
    )
