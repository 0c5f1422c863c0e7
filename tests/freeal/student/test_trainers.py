"""Both trainers obey the contract: what they learn, what they leave behind, what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.errors import TrainingError
from freeal.student.finetune_trainer import TransformerTrainer
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL
from freeal.student.training.linear_probe import softmax
from freeal.testing.weighed_labels import weighed

TRAINERS = [FrozenTrainer, TransformerTrainer]
LABELS = ("good", "bad")


def quiet(done: int, total: int) -> None:
    """Nobody watches."""


@pytest.mark.parametrize("trainer", TRAINERS)
def test_learns_through_noise_and_finds_it(trainer, settings, pool):
    """With a sixth of the labels flipped the student is right far more often than they are, and heads that have not
    learned a label tell which they are."""
    texts, truth = pool
    rng = np.random.default_rng(3)
    wrong = rng.random(len(texts)) < 1 / 6
    noisy = np.where(wrong, 1 - np.array(truth), truth)
    training = trainer(settings).fit(weighed(texts, noisy), labels=LABELS, seed=0, on_step=quiet)
    assert 0.93 < (training.proba.argmax(axis=1) == truth).mean()
    believed = softmax(training.held_out)[np.arange(len(texts)), noisy]
    assert believed[wrong].mean() + 0.3 < believed[~wrong].mean()


@pytest.mark.parametrize("trainer", TRAINERS)
def test_shapes_and_ranges(trainer, settings, pool):
    """Arrays are indexed like the texts; texts without a label have no loss, but are scored."""
    texts, labels = pool[0][:40], [*pool[1][:30], *[NO_LABEL] * 10]
    training = trainer(settings).fit(LabelledTexts(texts, labels), labels=(*LABELS, "never"), seed=0, on_step=quiet)
    assert (40, 3) == training.proba.shape
    np.testing.assert_allclose(training.proba.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(training.embeddings, axis=1), 1.0, atol=1e-5)
    assert np.isnan(training.losses).tolist() == [False] * 30 + [True] * 10
    assert (40, 3) == training.held_out.shape
    assert 2 not in training.proba.argmax(axis=1)
    np.testing.assert_allclose(training.student.predict_proba(texts), training.proba, atol=1e-4)
    np.testing.assert_allclose(training.student.embed(texts), training.embeddings, atol=1e-4)


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (["a good film", "a bad film"], [0, 1]),
        (["a good film"] * 12, [0] * 6 + [1] * 6),
        (["a good film", "a great film", "a superb film", "a lovely film"], [0, 0, 0, 0]),
        (["a good film"], [1]),
        (["", "film"], [0, 1]),
    ],
    ids=["two texts", "all the same", "one class", "one text", "an empty text"],
)
def test_small_and_odd_pools(trainer, settings, texts, labels):
    """A fit works whatever there is, as long as one text has a label."""
    training = trainer(settings).fit(LabelledTexts(texts, labels), labels=LABELS, seed=0, on_step=quiet)
    assert np.isfinite(training.proba).all()
    assert np.isfinite(training.losses).all()
    if len(set(labels)) == 1:
        assert {labels[0]} == set(training.proba.argmax(axis=1).tolist())


@pytest.mark.parametrize("trainer", TRAINERS)
def test_nothing_labelled_is_an_error(trainer, settings):
    """Without a single label there is nothing to learn, and the error says so."""
    with pytest.raises(TrainingError, match="no text has a label"):
        trainer(settings).fit(LabelledTexts(["one", "two"], [NO_LABEL] * 2), labels=LABELS, seed=0, on_step=quiet)


def test_impossible_label_ids_are_errors(settings):
    """Ids beyond the labels, and a count that differs from the texts', are refused."""
    trainer = FrozenTrainer(settings)
    with pytest.raises(TrainingError, match=r"outside of 0\.\.1"):
        trainer.fit(LabelledTexts(["one", "two"], [0, 2]), labels=LABELS, seed=0, on_step=quiet)
    with pytest.raises(TrainingError, match="2 texts came with 1"):
        trainer.fit(LabelledTexts(["one", "two"], [0]), labels=LABELS, seed=0, on_step=quiet)


@pytest.mark.parametrize("trainer", TRAINERS)
def test_same_seed_same_student(trainer, settings, pool):
    """Two fits with one seed agree to the last bit, also by one trainer, and leave the global generators alone."""
    import torch

    texts, labels = pool[0][:48], pool[1][:48]
    one = trainer(settings)
    before = torch.get_rng_state()
    first = one.fit(LabelledTexts(texts, labels), labels=LABELS, seed=5, on_step=quiet)
    assert torch.equal(before, torch.get_rng_state())
    for other in (one, trainer(settings)):
        again = other.fit(LabelledTexts(texts, labels), labels=LABELS, seed=5, on_step=quiet)
        np.testing.assert_array_equal(first.proba, again.proba)
        np.testing.assert_array_equal(first.held_out, again.held_out)


def test_another_seed_another_student(settings, pool):
    """The seed reaches the training."""
    texts, labels = pool[0][:48], pool[1][:48]
    trainer = TransformerTrainer(settings)
    first, other = (
        trainer.fit(LabelledTexts(texts, labels), labels=LABELS, seed=seed, on_step=quiet) for seed in (1, 2)
    )
    assert not np.array_equal(first.proba, other.proba)


@pytest.mark.parametrize("trainer", TRAINERS)
def test_progress_only_rises_and_ends(trainer, settings, pool):
    """Steps are reported in order, and the last report says that all are done."""
    seen = []
    trainer(settings).fit(
        LabelledTexts(pool[0], pool[1]), labels=LABELS, seed=0, on_step=lambda done, total: seen.append((done, total))
    )
    assert seen == sorted(seen)
    assert 1 == len({total for _, total in seen})
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize(("mixup", "consistency"), [(False, "never"), (True, "always"), (False, "always")])
def test_terms_can_be_switched_off(settings, pool, mixup, consistency):
    """Each robust term is optional, and each changes the result."""
    texts, labels = pool[0][:60], [*pool[1][:50], *[NO_LABEL] * 10]
    trainers = [
        TransformerTrainer(settings.model_copy(update=update))
        for update in ({}, {"mixup": mixup, "consistency": consistency})
    ]
    full, less = (one.fit(LabelledTexts(texts, labels), labels=LABELS, seed=0, on_step=quiet) for one in trainers)
    assert not np.array_equal(full.proba, less.proba)


def test_student_survives_the_next_fit(settings, pool):
    """A student of one round answers the same after its trainer made another."""
    texts, labels = pool[0][:30], pool[1][:30]
    for trainer in (FrozenTrainer(settings), TransformerTrainer(settings)):
        student = trainer.fit(LabelledTexts(texts, labels), labels=LABELS, seed=0, on_step=quiet).student
        before = student.predict_proba(texts)
        trainer.fit(LabelledTexts(texts, [1 - label for label in labels]), labels=LABELS, seed=0, on_step=quiet)
        np.testing.assert_array_equal(before, student.predict_proba(texts))


def test_untrained_embeddings(settings):
    """Embeddings before any fit are of unit length, in order, and know identical texts."""
    vectors = TransformerTrainer(settings).embed(["a good film", "the market", "a good film"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    assert not np.allclose(vectors[0], vectors[1])


def test_a_fit_on_known_features_says_that_it_begins(settings):
    """Else whoever follows a job would count the training as part of the stage before."""
    trainer = FrozenTrainer(settings)
    texts, labels = ["a good film", "a bad film"] * 10, [0, 1] * 10
    trainer.fit(LabelledTexts(texts, labels), labels=LABELS, seed=0, on_step=quiet)
    told = []
    trainer.fit(LabelledTexts(texts, labels), labels=LABELS, seed=0, on_step=lambda *step: told.append(step))
    assert [(0, 21), (21, 21)] == told
