"""The one place that weighs voices: what the annotator, the student, the labels' meanings and a person say about each
text, as one probability per label.

Each voice counts by its error, which is estimated without ground truth. What is known of a text itself, the student's
judgement *out of fold* (it has not learned this text's label) and the nearness to the labels' meanings, gives a clean
probability q (answer_forecast.py, then noise_transition.py). An answer multiplies it by its likelihood, a person's
label replaces it:

    P(label y | text, answer a)  is proportional to  q(y) * P(a | y) * share(y)

`share` draws the labels' frequencies over all texts towards those of the answers, the more the texts alone leave open
(the mean entropy of q). Estimated errors are never quite right, and beside a student that knows little the texts of a
label whose errors are underrated would flow to another label without end.

An annotator that gives a probability for every label tells its error itself, text by text; it is pooled with the
student linearly. The nearness to meanings is in its answers already (label_similarity.py).

What a student is taught is the same with less caution: a label is overruled only where that is sure, but may be doubted
before.

Errors that follow from the text cannot be seen where an answer is a label only: the student learns them. The annotator
is then trusted, which is right for the models measured so far, and the confidence is too high.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from freeal.aggregation import noise_transition
from freeal.aggregation.answer_forecast import forecast_answers
from freeal.aggregation.tree_nodes import below_branch, within_branches
from freeal.student.protocols import NO_LABEL
from freeal.types import Annotation, Status

DOUBT = 0.3
"""Of what a text itself leaves open, the part that the answer is not believed to settle: errors that follow from the
text, most of all from hard ones, are in no estimate. Mean calibration error over 60 cells of MR and TREC (150 and 800
texts, annotators of 65 to 96 %, five kinds of error): 0.087 without, 0.075 with it; more costs the best annotators
points."""
EARLIER_SHARE = 1 / 3
"""Of an answer's likelihood, what counts for the labels that the annotator gave the text in earlier rounds, with other
demonstrations. Twelve pairs of answers of the packaged model to the sample, labels only: final labels 75.1 % right
and confidence off by 16.9 points with it, 74.4 and 19.3 where the newer answer simply replaces the older one."""
STUDENT_WEIGHT = 0.3
"""Of the student's forecast beside an annotator that gave probabilities: it has learned from these very answers."""
_SWEEPS = 100
_SETTLED = 1e-3


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """What is said about n texts, beside the student.

    `label_ids` int [n] are the annotator's answers, NO_LABEL where it gave none. `distributions` float [n, labels] are
    its probabilities, rows of 0 where it gave a label only; `candidates` float [n, labels] weights of the labels an
    answer left open, rows of 0 where it named one, or None; `earlier` float [n, labels] how often the annotator said
    them in earlier rounds, or None. `confirmed` int [n] is what a person said, NO_LABEL where nobody did. `nearness`
    float [n, labels] are probabilities by the labels' meanings alone, or None.
    """

    label_ids: np.ndarray
    distributions: np.ndarray
    confirmed: np.ndarray
    nearness: np.ndarray | None = None
    candidates: np.ndarray | None = None
    earlier: np.ndarray | None = None
    open_branches: np.ndarray | None = None
    """Of labels that are a tree: P(a text's label | the branch that its answer named in place of a label), float
    [n, labels]; rows of 1 where an answer named none. None where no answer did."""

    @property
    def answered(self) -> np.ndarray:
        """Which texts the annotator said something about, bool [n]."""
        named = self.label_ids != NO_LABEL
        return np.asarray(named if self.open_branches is None else named | (self.open_branches != 1.0).any(axis=1))

    @property
    def named_only(self) -> np.ndarray:
        """Which texts the annotator gave a label without probabilities, bool [n]."""
        return np.asarray((self.label_ids != NO_LABEL) & (self.distributions.sum(axis=1) == 0.0))

    def posterior(self, logits: np.ndarray) -> LabelPosterior:
        """Everything weighed together with the student's out-of-fold `logits` [n, labels]."""
        return label_posterior(self, logits)

    def targets(self, logits: np.ndarray) -> np.ndarray:
        """What a student is to be taught, float [n, labels]: the same, but not cautious. Students that were taught
        what is kept were 0.5 points worse on test rows (36 cells of four sets, two draws)."""
        return label_posterior(self, logits, cautious=False).proba

    def part(self, rows: np.ndarray) -> Evidence:
        """What is said about the texts at `rows`, int [m], alone."""
        said = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return dataclasses.replace(self, **{name: one[rows] for name, one in said.items() if one is not None})


@dataclasses.dataclass(frozen=True, slots=True)
class LabelPosterior:
    """`proba` float64 [n, labels] of the labels; `transition` [labels, labels]: P(answer a | label y) as [y, a];
    `weights`: what student and nearness count among what is known of the text itself."""

    proba: np.ndarray
    transition: np.ndarray
    weights: np.ndarray

    def of(self, label_ids: np.ndarray) -> np.ndarray:
        """The probability of one label per text, float32 [n]; 0 where it is NO_LABEL."""
        said = self.proba[np.arange(len(label_ids)), label_ids]
        return np.where(label_ids == NO_LABEL, 0.0, said).astype(np.float32)


def evidence_of(
    annotations: Sequence[Annotation],
    names: tuple[str, ...],
    *,
    nearness: np.ndarray | None = None,
    candidates: np.ndarray | None = None,
) -> Evidence:
    """The evidence in annotations, one per text; `nearness` and `candidates` as in `Evidence`."""
    size = len(annotations)
    label_ids = np.full(size, NO_LABEL, dtype=np.int64)
    confirmed = np.full(size, NO_LABEL, dtype=np.int64)
    distributions = np.zeros((size, len(names)))
    earlier = np.zeros((size, len(names)))
    branches = np.ones((size, len(names)))
    for position, note in enumerate(annotations):
        if note.branch is not None:
            branches[position] = below_branch(note.branch, names, confidence=note.confidence)
        if note.label is None:
            continue
        told = confirmed if Status.CORRECTED in note.statuses else label_ids
        told[position] = names.index(note.label)
        if told is label_ids and note.distribution is not None:
            distributions[position] = note.distribution
        for name in note.earlier:
            earlier[position, names.index(name)] += 1.0
    return Evidence(
        label_ids,
        distributions,
        confirmed,
        nearness,
        candidates,
        earlier if earlier.any() else None,
        branches if (branches != 1.0).any() else None,
    )


def label_posterior(evidence: Evidence, logits: np.ndarray, *, cautious: bool = True) -> LabelPosterior:
    """Weigh the voices. `logits` float [n, labels] are the student's, of each text under heads that did not learn its
    label; `cautious` as in `transition_matrix`, so that no good answer is overruled. Deterministic; a text
    that a person labelled has probability 1 for that label."""
    labels = logits.shape[1]
    answered = evidence.label_ids != NO_LABEL
    predictors = [logits]
    if evidence.nearness is not None:
        predictors.append(np.log(np.maximum(evidence.nearness, 1e-6)))
    forecast = forecast_answers(predictors, evidence.label_ids)
    judged = evidence.confirmed == NO_LABEL
    if answered.any():
        matrix = noise_transition.transition_matrix(
            forecast.answers[judged], evidence.label_ids[judged], cautious=cautious
        )
    else:
        matrix = np.eye(labels)
    proba = noise_transition.without_noise(forecast.answers, matrix)
    plain = evidence.named_only
    if plain.any():
        proba[plain] = _joined_voices(
            proba[plain], _likelihood_of_answers(evidence, matrix)[plain], evidence.label_ids[plain]
        )
    scored = answered & ~plain
    pooled = (1.0 - STUDENT_WEIGHT) * evidence.distributions + STUDENT_WEIGHT * forecast.answers
    proba[scored] = pooled[scored]
    if evidence.open_branches is not None:
        proba = within_branches(proba, evidence.open_branches)
    proba[~judged] = np.eye(labels)[evidence.confirmed[~judged]]
    return LabelPosterior(proba, matrix, forecast.weights)


def _likelihood_of_answers(evidence: Evidence, matrix: np.ndarray) -> np.ndarray:
    """P(what the annotator said | label), [n, labels]; an answer that left labels open, or differs from earlier ones,
    is an average of plain ones."""
    said = np.eye(matrix.shape[0])[evidence.label_ids]
    if evidence.candidates is not None:
        several = evidence.candidates.sum(axis=1) > 0.0
        said[several] = evidence.candidates[several] / evidence.candidates[several].sum(axis=1, keepdims=True)
    if evidence.earlier is not None:
        again = evidence.earlier.sum(axis=1) > 0.0
        before = evidence.earlier[again] / evidence.earlier[again].sum(axis=1, keepdims=True)
        said[again] = (1.0 - EARLIER_SHARE) * said[again] + EARLIER_SHARE * before
    return np.asarray(said @ matrix.T)


def _joined_voices(clean: np.ndarray, likelihood: np.ndarray, label_ids: np.ndarray) -> np.ndarray:
    labels = clean.shape[1]
    product = np.maximum(clean * likelihood, 1e-12)
    free = (product / product.sum(axis=1, keepdims=True)).mean(axis=0)
    shares = (np.bincount(label_ids, minlength=labels) + 0.5) / (len(label_ids) + 0.5 * labels)
    open_texts = float(-(clean * np.log(clean)).sum(axis=1).mean() / np.log(labels))
    shares = shares**open_texts * free ** (1.0 - open_texts)
    shares /= shares.sum()
    factors = np.ones(labels)
    for _ in range(_SWEEPS):
        joint = product * factors
        joint /= joint.sum(axis=1, keepdims=True)
        gap = shares / np.maximum(joint.mean(axis=0), 1e-9)
        if np.abs(np.log(gap)).max() < _SETTLED:
            break
        factors *= gap**0.7
    joint = product * factors
    joint /= joint.sum(axis=1, keepdims=True)
    doubt = DOUBT * (1.0 - clean.max(axis=1, keepdims=True))
    return np.asarray((1.0 - doubt) * joint + doubt * clean)
