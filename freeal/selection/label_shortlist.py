"""Which labels a row is asked about where there are many: those nearest to it.

The meanings of a hundred labels cost many times what the row itself does, and a small model gets lost in them. Nearness
is that of the row to each label's name and meaning under the untrained encoder; from the second round on the student
has a say as well: the shortlist takes its likeliest label and the nearest one in turn.

Measured with MiniLM, share of rows whose label is on the list. 88 banking intents (264 sentences written for the
tests): by name alone 79 % of 8 and 86 % of 16, by name and meaning 88 and 95. A student of that task too weak to be of
use (39 and 54 % by itself) costs 5 and 3 points when taken in turn; a good one (TREC, 1,500 questions, 2 of 6 labels:
93 % by itself, 65 by meaning) keeps 90, where adding scores or ranks keeps 84 to 86. Neither taking out what a label
has in common with all rows nor the distance to each label's representatives was better by more than a point or two.
"""

from __future__ import annotations

import re

import numpy as np

from freeal.types import Label

MANY_LABELS = 24
"""Tasks with more labels than this are asked with shortlists."""
SHORTLIST_LABELS = 16
"""Labels on a row's shortlist. SmolLM2 on 231 of the sentences, 77 names without meanings: 25.5 % right with all labels
scored, 24.7 to 26.4 with these, at 3.4 times the rows per second of processor time (2.4 times with 24)."""

_CHUNK_ROWS = 2048
_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_WORD = re.compile(r"[\W_]+")


def label_text(label: Label) -> str:
    """What an encoder reads for a label: its name in words (`cardPayment_fee` is "card payment fee"), its meaning."""
    words = [_lower(word) for word in _NO_WORD.sub(" ", _CAMEL_CASE.sub(" ", label.name)).split()]
    name = " ".join(words) or label.name
    return f"{name}: {label.description}" if label.description else name


def nearest_labels(rows: np.ndarray, labels: np.ndarray, *, count: int, proba: np.ndarray | None = None) -> np.ndarray:
    """Label ids int [n, k] per row, nearest first; k is `count`, or all labels where there are fewer.

    `rows` float [n, d] and `labels` float [L, d] are embeddings of unit length, the latter of each label's `label_text`
    under the same encoder; `proba` float [n, L] are the student's class probabilities of the last round. A row's list
    does not depend on the other rows. Equally near labels stand in the task's order. Raises ValueError for shapes that
    do not fit or a `count` below 1.
    """
    if count < 1:
        raise ValueError(f"a shortlist of {count} labels cannot hold any")
    if rows.shape[1:] != labels.shape[1:]:
        raise ValueError(f"embeddings of rows {rows.shape} and labels {labels.shape} differ in width")
    if proba is not None and proba.shape != (len(rows), len(labels)):
        raise ValueError(f"probabilities {proba.shape} are not [{len(rows)} rows, {len(labels)} labels]")
    found = np.empty((len(rows), min(count, len(labels))), dtype=np.int64)
    for start in range(0, len(rows), _CHUNK_ROWS):
        part = slice(start, start + _CHUNK_ROWS)
        place = _ranks(rows[part] @ labels.T)
        if proba is not None:
            place = np.minimum(2 * _ranks(proba[part]), 2 * place + 1)
        found[part] = np.argsort(place, axis=1)[:, : found.shape[1]]
    return found


def _ranks(scores: np.ndarray) -> np.ndarray:
    """0 for the highest score of each row, 1 for the next."""
    return np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)


def _lower(word: str) -> str:
    return word if len(word) > 1 and word.isupper() else word.lower()
