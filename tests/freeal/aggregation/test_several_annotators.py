"""Several language models on the same texts as one probability per label."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.aggregation.label_posterior import Evidence
from freeal.aggregation.several_annotators import SeveralVoices, as_sure_as_it_agrees, estimated_errors
from freeal.student.protocols import NO_LABEL
from freeal.student.training import linear_probe

TEXTS, LABELS = 600, 3


def _texts(seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, LABELS, TEXTS)
    centres = 1.6 * np.eye(LABELS, 16)
    return rng.normal(size=(TEXTS, 16)) + centres[truth], truth


def _answers(truth, *, right, seed):
    """Errors that follow from the text: half of the wrong ones are those of any other such annotator."""
    rng = np.random.default_rng(seed)
    hard = np.random.default_rng(99).random(len(truth)) + rng.random(len(truth))
    wrong = np.argsort(-hard)[: round((1.0 - right) * len(truth))]
    answers = truth.copy()
    answers[wrong] = (truth[wrong] + 1) % LABELS
    return answers


def _voice(answers, confirmed=None, distributions=None):
    nobody = np.full(len(answers), NO_LABEL)
    none = np.zeros((len(answers), LABELS))
    return Evidence(
        answers, none if distributions is None else distributions, nobody if confirmed is None else confirmed
    )


def _logits(features, answers):
    return linear_probe.fit_probe(features, answers, labels=LABELS, seed=0).held_out


def _right(proba, truth):
    return float((proba.argmax(axis=1) == truth).mean())


def test_a_later_answer_stands_and_doubt_is_left_to_those_before_it():
    """In a cascade every text that the later model answered gets its label, with at least two thirds; where both say
    the same the confidence is higher."""
    features, truth = _texts()
    cheap, dear = _answers(truth, right=0.7, seed=1), _answers(truth, right=0.9, seed=2)
    asked = np.arange(TEXTS) < 200
    found = SeveralVoices((_voice(cheap), _voice(np.where(asked, dear, NO_LABEL))), "cascade").posterior(
        _logits(features, cheap)
    )
    assert (found.proba[asked].argmax(axis=1) == dear[asked]).all()
    assert found.proba[asked].max(axis=1).min() >= 2 / 3 - 1e-6
    agreed = asked & (cheap == dear)
    assert found.proba[agreed].max(axis=1).mean() > found.proba[asked & ~agreed].max(axis=1).mean()
    assert _right(found.proba, truth) > (cheap == truth).mean()


def test_the_later_answers_tell_how_far_the_earlier_confidence_can_be_believed():
    """Fifty texts drawn by chance bring the mean confidence of 600 within ten points of what is right, where it was
    more than fifteen off, and change no text's likeliest label."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, LABELS, TEXTS)
    said = _answers(truth, right=0.6, seed=1)
    proba = 0.9 * np.eye(LABELS)[said] + 0.1 / LABELS
    pilot = rng.choice(TEXTS, 50, replace=False)
    found = as_sure_as_it_agrees(proba, pilot, truth[pilot])
    assert proba.max(axis=1).mean() - 0.6 > 0.15
    assert 0.1 > abs(found.max(axis=1).mean() - 0.6)
    assert (found.argmax(axis=1) == proba.argmax(axis=1)).all()
    assert np.allclose(1.0, found.sum(axis=1))


def test_a_pilot_that_agrees_leaves_confidence_as_it_is():
    """Where the later model gives the labels as often as the confidence says, nothing moves by more than 0.05."""
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 0.99, TEXTS)
    proba = np.stack([sure, 1.0 - sure, np.zeros(TEXTS)], axis=1)
    pilot = np.arange(0, TEXTS, 4)
    labels = (rng.random(len(pilot)) > sure[pilot]).astype(int)
    assert 0.05 > np.abs(as_sure_as_it_agrees(proba, pilot, labels) - proba).max()


def test_side_by_side_is_no_vote():
    """Of three models two of which err alike, the mean of the posteriors counts how sure each is, and a text that one
    of them did not answer is judged by the others."""
    features, truth = _texts()
    voices = [_answers(truth, right=right, seed=seed) for right, seed in ((0.8, 1), (0.75, 2), (0.75, 3))]
    voices[2][:50] = NO_LABEL
    found = SeveralVoices(tuple(map(_voice, voices)), "side_by_side").posterior(_logits(features, voices[0])).proba
    assert np.allclose(1.0, found.sum(axis=1))
    assert _right(found, truth) >= max((answers == truth).mean() for answers in voices) - 0.005
    without = (
        SeveralVoices(tuple(map(_voice, voices[:2])), "side_by_side").posterior(_logits(features, voices[0])).proba
    )
    assert np.allclose(without[:50], found[:50])


def test_a_model_with_probabilities_may_be_the_second():
    """Its distribution stands in the place of its label."""
    features, truth = _texts()
    cheap = _answers(truth, right=0.7, seed=1)
    told = 0.8 * np.eye(LABELS)[truth] + 0.2 / LABELS
    dear = _voice(truth, distributions=told)
    found = SeveralVoices((_voice(cheap), dear), "cascade").posterior(_logits(features, cheap)).proba
    assert (found >= 2 / 3 * told - 1e-9).all()
    assert _right(found, truth) == 1.0
    assert found.max() < 0.97


@pytest.mark.parametrize("use", ["cascade", "side_by_side"])
def test_what_a_person_said_is_final(use):
    """Whatever several models say."""
    features, truth = _texts()
    answers = _answers(truth, right=0.7, seed=1)
    confirmed = np.full(TEXTS, NO_LABEL)
    confirmed[:20] = (truth[:20] + 2) % LABELS
    voices = tuple(_voice(answers, confirmed) for _ in range(2))
    found = SeveralVoices(voices, use).posterior(_logits(features, answers)).proba
    assert (found[:20] == np.eye(LABELS)[confirmed[:20]]).all()


def test_the_worse_model_has_the_larger_estimated_error():
    """Of 65 and 92 % the first is held to be wrong at least a tenth more often; one that said nothing has no figure."""
    features, truth = _texts()
    cheap, dear = _answers(truth, right=0.65, seed=1), _answers(truth, right=0.92, seed=2)
    silent = np.full(TEXTS, NO_LABEL)
    voices = SeveralVoices(tuple(map(_voice, (cheap, dear, silent))), "cascade")
    first, second, third = estimated_errors(voices, _logits(features, cheap))
    assert second + 0.1 < first
    assert np.isnan(third)


def test_labels_alone_are_told_from_probabilities():
    """A text was named only where one of the models gave it a label without probabilities."""
    answers = np.array([0, 1, NO_LABEL])
    shares = np.array([[0.9, 0.1], [0.0, 0.0], [0.0, 0.0]])
    scoring = _voice(answers, distributions=shares)
    assert [False, True, False] == scoring.named_only.tolist()
    both = SeveralVoices((scoring, _voice(np.array([NO_LABEL, NO_LABEL, 1]))), "side_by_side")
    assert [False, True, True] == both.named_only.tolist()
