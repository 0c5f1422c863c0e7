"""Voices weighed: a label gets no worse on its way, and its confidence says how likely it is right."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.aggregation.label_posterior import Evidence, evidence_of
from freeal.aggregation.several_annotators import SeveralVoices
from freeal.evaluation.metrics import calibration_error
from freeal.student.protocols import NO_LABEL
from freeal.student.training import linear_probe
from freeal.types import Annotation, Status

TEXTS = 800
NOBODY = np.full(TEXTS, NO_LABEL)


def pool(labels: int, *, clarity: float, seed: int = 0):
    """Features [n, d] of `TEXTS` texts and their true labels: a linear head learns them the better the larger `clarity`
    is (2.0 and 2 labels: about 80 %)."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, TEXTS)
    centres = rng.normal(size=(labels, 24))
    centres *= clarity / np.linalg.norm(centres, axis=1, keepdims=True)
    return rng.normal(size=(TEXTS, 24)) + centres[truth], truth


def annotator(truth: np.ndarray, *, right: float, labels: int, bias: float = 1.0, seed: int = 0) -> np.ndarray:
    """Answers of which a share is `right`; an answer to label 0 is wrong `bias` times as often as another."""
    rng = np.random.default_rng(seed + 100)
    weights = np.where(truth == 0, bias, 1.0)
    wrong = np.argsort(-np.log(rng.random(len(truth))) / weights)[: round((1.0 - right) * len(truth))]
    answers = truth.copy()
    answers[wrong] = (truth[wrong] + rng.integers(1, labels, len(wrong))) % labels
    return answers


def out_of_fold(features: np.ndarray, answers: np.ndarray, *, labels: int) -> np.ndarray:
    return linear_probe.fit_probe(features, answers, labels=labels, seed=0).held_out


def plain(answers: np.ndarray, *, labels: int, **others) -> Evidence:
    return Evidence(answers, np.zeros((len(answers), labels)), NOBODY, **others)


def test_an_answer_that_differs_from_earlier_ones_is_less_sure():
    """Where the annotator said something else in the round before, the final confidence is lower than where it said the
    same, and the label of the earlier answer is likelier than any other."""
    features, truth = pool(3, clarity=2.0)
    answers = annotator(truth, right=0.8, labels=3)
    logits = out_of_fold(features, answers, labels=3)
    earlier = np.eye(3)[(answers + 1) % 3]
    earlier[400:] = np.eye(3)[answers[400:]]
    before = plain(answers, labels=3).posterior(logits).proba
    found = plain(answers, labels=3, earlier=earlier).posterior(logits).proba
    own = np.arange(400), answers[:400]
    assert found[own].mean() + 0.05 < before[own].mean()
    assert (
        found[:400][np.arange(400), (answers[:400] + 1) % 3].mean()
        > found[:400][np.arange(400), answers[:400] - 1].mean()
    )
    assert 0.05 > np.abs(found[400:] - before[400:]).max()


def accuracy(labels: np.ndarray, truth: np.ndarray) -> float:
    return 100.0 * float(np.mean(labels == truth))


@pytest.mark.parametrize(("labels", "clarity"), [(2, 1.2), (2, 3.0), (5, 2.0), (5, 3.0)])
@pytest.mark.parametrize("right", [0.93, 0.85])
@pytest.mark.parametrize("bias", [1.0, 3.0])
def test_a_label_gets_no_worse_and_confidence_means_what_it_says(labels, clarity, right, bias):
    """Annotators of 85 and 93 %, with even and with class-biased errors, beside weak and strong students: the final
    labels are within half a point of the annotator's or above, and confidence is off by less than 0.08."""
    features, truth = pool(labels, clarity=clarity)
    answers = annotator(truth, right=right, labels=labels, bias=bias)
    logits = out_of_fold(features, answers, labels=labels)
    found = plain(answers, labels=labels).posterior(logits).proba
    assert accuracy(answers, truth) - 0.5 <= accuracy(found.argmax(axis=1), truth)
    assert calibration_error(found.max(axis=1), found.argmax(axis=1) == truth) < 0.08


def test_a_poor_annotator_is_lifted_by_what_the_texts_say():
    """Of 70 % of right labels, errors even, a student that knows the texts makes 80 % and more."""
    features, truth = pool(3, clarity=3.0)
    answers = annotator(truth, right=0.7, labels=3)
    found = plain(answers, labels=3).posterior(out_of_fold(features, answers, labels=3)).proba
    assert 80.0 < accuracy(found.argmax(axis=1), truth)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.7, 0.3)])
def test_a_student_that_knows_nothing_changes_nothing(shares):
    """Where the texts tell nothing, every answer stays, and is believed as much as annotators are without evidence."""
    rng = np.random.default_rng(4)
    truth = rng.choice(2, size=TEXTS, p=shares)
    answers = annotator(truth, right=0.9, labels=2)
    logits = out_of_fold(rng.normal(size=(TEXTS, 24)), answers, labels=2)
    found = plain(answers, labels=2).posterior(logits).proba
    assert 98.0 < accuracy(found.argmax(axis=1), answers)
    assert 0.75 < found.max(axis=1).mean() < 0.97


@pytest.mark.parametrize(("error", "clarity", "gain"), [(0.05, 0.5, -0.01), (0.3, 0.5, -0.01), (0.3, 2.0, 0.1)])
def test_a_student_that_knows_little_overrules_nobody(error, clarity, gain):
    """It is right a third of the time, more than by chance: what it is surest of is not the truth for that. One that is
    right three times of four corrects the same annotator."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, 300)
    said = np.where(rng.random(300) < error, (truth + rng.integers(1, 5, 300)) % 5, truth)
    logits = clarity * np.eye(5)[truth] + rng.normal(size=(300, 5))
    evidence = Evidence(said, np.zeros((300, 5)), np.full(300, NO_LABEL))
    final = evidence.posterior(logits).proba.argmax(axis=1)
    assert (final == truth).mean() >= (said == truth).mean() + gain


@pytest.mark.parametrize(("error", "clarity", "gain"), [(0.03, 1.2, -0.5), (0.3, 1.6, 5.0)])
def test_what_a_student_misses_where_it_is_surest_is_no_error_of_the_annotator(error, clarity, gain):
    """It knows three or four of five labels, and sees three texts in a hundred for what they are not, however sure it
    is. An annotator of 97 % keeps its labels beside it, one of 70 % is corrected; points, mean of eight draws."""
    gains = []
    for seed in range(8):
        truth, said, logits = _sure_and_wrong(seed, error=error, clarity=clarity)
        final = plain(said, labels=2).posterior(logits).proba.argmax(axis=1)
        gains.append(accuracy(final, truth) - accuracy(said, truth))
    assert np.mean(gains) >= gain


def _sure_and_wrong(seed, *, error, clarity):
    """Truth, answers and logits of 800 texts, three in a hundred of which the student sees for what they are not."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, 800)
    seen = np.where(rng.random(800) < 0.03, 1 - truth, truth)
    said = np.where(rng.random(800) < error, 1 - truth, truth)
    return truth, said, clarity * np.eye(2)[seen] + 1.2 * rng.normal(size=(800, 2))


@pytest.mark.parametrize("use", [None, "cascade", "side_by_side"])
def test_a_student_is_taught_what_is_likely_where_a_label_is_kept_for_safety(use):
    """Answers are doubted in what is taught that stand in what is given out, of one language model and of several."""
    _, said, logits = _sure_and_wrong(0, error=0.03, clarity=1.2)
    one = plain(said, labels=2)
    evidence = one if use is None else SeveralVoices((one, plain(np.full(800, NO_LABEL), labels=2)), use)
    own = np.arange(800), said
    taught, given = evidence.targets(logits)[own], evidence.posterior(logits).proba[own]
    assert (taught < 0.5).sum() > (given < 0.5).sum()
    assert taught.mean() + 0.01 < given.mean()


def test_the_error_of_each_label_is_estimated():
    """Label 0 is taken for another five times as often: the transition matrix says so without a true label."""
    features, truth = pool(3, clarity=4.0)
    answers = annotator(truth, right=0.8, labels=3, bias=5.0)
    matrix = plain(answers, labels=3).posterior(out_of_fold(features, answers, labels=3)).transition
    assert 1.0 == pytest.approx(matrix.sum(axis=1).min())
    assert matrix[0, 0] + 0.03 < min(matrix[1, 1], matrix[2, 2])


def test_nearness_counts_by_evidence():
    """Meanings that tell the labels get a weight, meanings that tell nothing next to none; and they help most where the
    student is weak."""
    features, truth = pool(2, clarity=1.6)
    answers = annotator(truth, right=0.7, labels=2)
    logits = out_of_fold(features, answers, labels=2)
    rng = np.random.default_rng(5)
    telling = np.where(np.eye(2)[np.where(rng.random(TEXTS) < 0.8, truth, 1 - truth)] == 1.0, 0.8, 0.2)
    idle = rng.dirichlet((1.0, 1.0), TEXTS)
    without, helped, misled = (
        plain(answers, labels=2, nearness=near).posterior(logits) for near in (None, telling, idle)
    )
    assert 0.2 < helped.weights[1]
    assert misled.weights[1] < 0.05
    right = [accuracy(one.proba.argmax(axis=1), truth) for one in (without, helped, misled)]
    assert right[0] + 1.0 < right[1]
    assert right[0] - 1.0 < right[2]


def test_what_a_person_said_is_certain_and_tells_nothing_of_the_annotator():
    """A confirmed text has probability 1 for its label, against answer and student, and is no anchor."""
    features, truth = pool(2, clarity=2.0)
    answers = annotator(truth, right=0.9, labels=2)
    confirmed = NOBODY.copy()
    confirmed[:40] = 1 - truth[:40]
    told = answers.copy()
    told[:40] = NO_LABEL
    found = Evidence(told, np.zeros((TEXTS, 2)), confirmed).posterior(out_of_fold(features, answers, labels=2)).proba
    assert [1.0] * 40 == found[np.arange(40), confirmed[:40]].tolist()


def test_a_text_without_an_answer_is_the_students_alone():
    """Unanswered texts get a distribution that follows the student's logits."""
    features, truth = pool(2, clarity=3.0)
    answers = annotator(truth, right=0.95, labels=2)
    answers[:100] = NO_LABEL
    known = np.arange(100, TEXTS)
    probe = linear_probe.fit_probe(features[known], answers[known], labels=2, seed=0)
    logits = probe.logits(features)
    logits[known] = probe.held_out
    found = plain(answers, labels=2).posterior(logits).proba
    assert logits[:100].argmax(axis=1).tolist() == found[:100].argmax(axis=1).tolist()
    np.testing.assert_allclose(1.0, found.sum(axis=1))


@pytest.mark.parametrize("answered", [0, 1, 5])
def test_hardly_any_answer_is_enough_to_go_on(answered):
    """With no answer, one or five there is a posterior all the same, and an answer is believed."""
    answers = NOBODY.copy()
    answers[:answered] = np.arange(answered) % 2
    found = plain(answers, labels=2).posterior(np.zeros((TEXTS, 2))).proba
    assert np.isfinite(found).all()
    assert answers[:answered].tolist() == found[:answered].argmax(axis=1).tolist()


def test_an_annotator_with_probabilities_is_pooled_with_the_forecast_of_its_answers():
    """Its own probability counts 0.7 and what out-of-fold logits make of the text 0.3: without a hint in the texts, an
    answer of 0.9 where both labels are as frequent becomes 0.9 * 0.7 + 0.5 * 0.3."""
    answers = np.arange(TEXTS) % 2
    sure = np.where(np.eye(2)[answers] == 1.0, 0.9, 0.1)
    found = Evidence(answers, sure, NOBODY).posterior(np.zeros((TEXTS, 2))).proba
    np.testing.assert_allclose(0.78, found.max(axis=1), atol=1e-3)


def test_the_order_of_the_texts_does_not_matter():
    """Shuffled texts get the same probabilities, so a resumed or regrouped run decides alike."""
    features, truth = pool(3, clarity=2.0)
    answers = annotator(truth, right=0.8, labels=3)
    logits = out_of_fold(features, answers, labels=3)
    order = np.random.default_rng(3).permutation(TEXTS)
    straight = plain(answers, labels=3).posterior(logits).proba
    shuffled = plain(answers[order], labels=3).posterior(logits[order]).proba
    np.testing.assert_allclose(straight[order], shuffled, atol=1e-4)


def test_candidates_leave_the_choice_to_the_texts():
    """An answer that leaves two labels open gets the one that the texts speak for."""
    features, truth = pool(3, clarity=4.0)
    answers = annotator(truth, right=0.95, labels=3)
    logits = out_of_fold(features, answers, labels=3)
    open_labels = np.zeros((TEXTS, 3))
    wrong = (truth[:50] + 1) % 3
    answers[:50] = wrong
    open_labels[np.arange(50), wrong] = 0.5
    open_labels[np.arange(50), truth[:50]] = 0.5
    found = plain(answers, labels=3, candidates=open_labels).posterior(logits).proba
    alone = plain(answers, labels=3).posterior(logits).proba
    assert 80.0 < accuracy(found[:50].argmax(axis=1), truth[:50])
    assert accuracy(alone[:50].argmax(axis=1), truth[:50]) < accuracy(found[:50].argmax(axis=1), truth[:50])


def test_evidence_holds_each_voice_in_its_place():
    """Answers, probabilities, nothing, and a person's word are told apart."""
    notes = [
        Annotation(0, "yes", 0.9, (Status.OK,), 1),
        Annotation(1, "no", 0.8, (Status.OK,), 1, distribution=(0.8, 0.2)),
        Annotation(2, None, 0.0, (Status.REFUSED,), 1),
        Annotation(3, "yes", 1.0, (Status.CORRECTED,), 1, distribution=(0.0, 1.0)),
    ]
    found = evidence_of(notes, ("no", "yes"))
    assert [1, 0, NO_LABEL, NO_LABEL] == found.label_ids.tolist()
    assert [NO_LABEL, NO_LABEL, NO_LABEL, 1] == found.confirmed.tolist()
    assert [[0.0, 0.0], [0.8, 0.2], [0.0, 0.0], [0.0, 0.0]] == found.distributions.tolist()
