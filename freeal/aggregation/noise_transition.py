"""How often an annotator takes one label for another, estimated without ground truth.

A classifier that never saw a text's label predicts which label the annotator will give it. Where it is surest, its
prediction is the truth as good as always, so what it still misses there is the annotator's error: anchor points (Liu
and Tao, TPAMI 2016; Patrini et al., CVPR 2017). The surest texts of a small pool are few; so not their labels are
counted, but a curve fitted to all labels is read at its upper end.
"""

from __future__ import annotations

import numpy as np

ANCHOR_SHARE = 0.07
"""Of the predictions, the surest this many are anchors. Chosen among 0.02 to 0.2 on MR and TREC, 800 texts, two seeds:
with more, the classifier's own errors are taken for the annotator's and good annotators lose a point or two; with
fewer, annotators of 65 to 75 % gain up to three points less."""
KNOWS, KNOWS_NOTHING = 0.7, 0.55
"""A classifier that would know the labels of less than KNOWS of the texts, were the estimate right, has no anchors:
from there on the error falls, to PRIOR_ERROR where it would know KNOWS_NOTHING. Chosen on MR, CR, TREC and AG News,
draws 0 and 1, and on 600 reviews of 1 to 5 stars, three draws. Of reviews that only tell what happened MiniLM knows
37 %; annotators of 95, 85 and 70 % ended at 76, 69 and 63 % without it, and at 93, 85 and 70 % with it."""
OWN_MISSES = 0.6
"""What a forecast that guesses all labels would miss where it is surest; one that guesses the share u of them misses
u**2 of that. The annotator's error is believed where it is larger, by half where it is as large. Chosen on MR, CR, TREC
and AG News, draws 0 and 1, and on eight other sets, one to three draws. Of 358 cells with annotators of 92 to 98 %, 150
had lost half a point or more, up to 15; 18 do with it (0.5: 41, 0.7: 11). Annotators of 70 % gain two points less."""
FEWEST_ANCHORS = 5
PRIOR_ERROR = 0.1
"""What annotators get wrong, before there is evidence; and the mean of the prior of the curve's upper end."""
PRIOR_TEXTS = 20
"""Texts that the prior error counts as."""
CHANCE_DOUBT = 2.0
"""A forecast that beats chance by the root of this many standard errors is believed half."""
PRIOR_TEXTS_PER_LABEL = 15
"""Texts that the error over all labels counts as, beside those that are predicted to get one label."""
LEAST_ERROR, MOST_ERROR = 0.01, 0.6


def transition_matrix(answers: np.ndarray, label_ids: np.ndarray, *, cautious: bool) -> np.ndarray:
    """P(the annotator answers a | the label is y), float64 [labels, labels] as [y, a], from a forecast's `answers`
    [n, labels] and what was answered, int [n] with -1 where nothing was.

    Per label from the anchors of that label, drawn towards the error over all anchors where they are few. All of it is
    drawn towards PRIOR_ERROR where few texts were answered, or where the forecast is hardly better than chance: one
    that knows nothing is sure of nothing, and that is no error of the annotator's. Where the forecast knows few labels
    anyway, its surest texts are no anchors, and the error is PRIOR_ERROR at most. Where one is `cautious`, what
    the forecast misses itself where it is surest is not taken for the annotator's error either.
    """
    labels = answers.shape[1]
    surest = np.sort(answers.max(axis=1))[::-1][: max(FEWEST_ANCHORS, round(ANCHOR_SHARE * len(answers)))]
    error = float(np.clip(1.0 - surest.mean(), LEAST_ERROR, MOST_ERROR))
    common = spread_evenly(np.full(labels, error))
    rows = common.copy()
    predicted = answers.argmax(axis=1)
    for label in np.unique(predicted):
        own = np.flatnonzero(predicted == label)
        anchors = own[np.argsort(-answers[own, label], kind="stable")][: max(1, round(ANCHOR_SHARE * len(own)))]
        trust = len(own) / (len(own) + PRIOR_TEXTS_PER_LABEL)
        rows[label] = trust * answers[anchors].mean(axis=0) + (1.0 - trust) * common[label]
    trust = _standing_of_forecast(predicted, label_ids, labels=labels)
    found = np.asarray(trust * rows + (1.0 - trust) * spread_evenly(np.full(labels, PRIOR_ERROR)))
    known = label_ids >= 0
    if not known.any():
        return found
    shares = np.bincount(label_ids[known], minlength=labels) / known.sum()
    missed = float((predicted != label_ids)[known].mean())
    found = _bounded_transition(found, missed, shares)
    return _transition_beyond_own_misses(found, missed, shares) if cautious else found


def _bounded_transition(matrix: np.ndarray, missed: float, shares: np.ndarray) -> np.ndarray:
    """The same matrix with a mean error of PRIOR_ERROR at most, the more so the fewer labels a forecast that `missed`
    this share of the answers would know, were the estimated error right."""
    error = float((1.0 - matrix.diagonal()) @ shares)
    unknowing = float(np.clip((KNOWS - _known(error, missed, labels=len(shares))) / (KNOWS - KNOWS_NOTHING), 0.0, 1.0))
    return _with_less_error(matrix, 1.0 - unknowing * (1.0 - min(1.0, PRIOR_ERROR / error)))


def _transition_beyond_own_misses(matrix: np.ndarray, missed: float, shares: np.ndarray) -> np.ndarray:
    """The same matrix with the error believed as far as it exceeds what the forecast misses where it is surest."""
    error = float((1.0 - matrix.diagonal()) @ shares)
    labels = len(shares)
    guessed = min(1.0, (1.0 - _known(error, missed, labels=labels)) * labels / max(labels - 1, 1))
    own = OWN_MISSES * guessed**2
    return _with_less_error(matrix, error**4 / (error**4 + own**4))


def _known(error: float, missed: float, *, labels: int) -> float:
    """Of how many labels a forecast that `missed` this share of the answers would know, were the annotator's `error`
    spread evenly over the other labels."""
    by_chance = error / max(labels - 1, 1)
    return float(np.clip((1.0 - missed - by_chance) / max(1.0 - error - by_chance, 0.05), 0.0, 1.0))


def _with_less_error(matrix: np.ndarray, kept: float) -> np.ndarray:
    found = matrix * kept
    np.fill_diagonal(found, 1.0 - kept * (1.0 - matrix.diagonal()))
    return found


def _standing_of_forecast(predicted: np.ndarray, label_ids: np.ndarray, *, labels: int) -> float:
    """How far a noise transition that is read off predictions is to be believed, 0 to 1: by how many standard errors
    they beat chance, and how many answers there are."""
    known = label_ids >= 0
    count = int(known.sum())
    said, foretold = (np.bincount(ids[known], minlength=labels) / max(count, 1) for ids in (label_ids, predicted))
    chance = float(said @ foretold)
    agreed = float((label_ids == predicted)[known].mean()) if count else 0.0
    error = np.sqrt(max(agreed * (1.0 - agreed), 0.25 / max(count, 1)) / max(count, 1))
    beaten = max(0.0, agreed - chance) / error
    return float(beaten**2 / (beaten**2 + CHANCE_DOUBT) * count / (count + PRIOR_TEXTS))


def without_noise(answers: np.ndarray, transitions: np.ndarray) -> np.ndarray:
    """P(label | text), float64 [n, labels], from P(answer | text) and P(answer | label): the backward correction."""
    clean = np.maximum(answers @ np.linalg.pinv(transitions), 1e-3)
    return np.asarray(clean / clean.sum(axis=1, keepdims=True))


def spread_evenly(errors: np.ndarray) -> np.ndarray:
    """A transition matrix [labels, labels] with an error per label, [labels], spread evenly over the others."""
    same = np.eye(len(errors))
    return np.asarray((1.0 - errors)[:, None] * same + errors[:, None] * (1.0 - same) / max(len(errors) - 1, 1))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float64 [n, labels]."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
