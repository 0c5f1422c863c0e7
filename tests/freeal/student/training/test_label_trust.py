"""What an epoch teaches, and whose label it trusts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from freeal.student.encoder import encoder as encoders
from freeal.student.finetune_trainer import TransformerTrainer, _held_out
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL
from freeal.student.training import hyperparameters
from freeal.student.training.label_trust import Pool, judge_label_trust, lesson_of_trusted_labels
from freeal.student.training.robust_training import RobustTraining
from freeal.student.untrained_encoder import UntrainedEncoder
from freeal.testing.weighed_labels import weighed

PLAIN = hyperparameters.Recipe(2, 1, 16, 1e-3, filtered=True, mixup=False, consistency=True)


def _pool(count=80, *, wrong=16, seed=0, held_out=0, candidates=None):
    """A pool whose probe has seen through the first `wrong` labels, and then some texts without a label."""
    rng = np.random.default_rng(seed)
    truth = np.arange(count) % 2
    ids = truth.copy()
    ids[:wrong] = 1 - truth[:wrong]
    ids[-4:] = NO_LABEL
    logits = rng.normal(scale=0.2, size=(count, 2)) + 3.0 * np.eye(2)[truth]
    keep = np.zeros(count, dtype=bool)
    keep[wrong : wrong + held_out] = True
    return Pool([[1]] * count, ids, keep, logits.astype(np.float32), candidates)


def test_filtered_lessons_leave_the_wrong_labels_out():
    """Labels the losses speak against are not learned from, most others are; a text without a label never is."""
    taught = lesson_of_trusted_labels(_pool(), None, filtered=True)
    assert not taught.trusted[:16].any()
    assert 50 < taught.trusted[16:-4].sum()
    assert not taught.trusted[-4:].any()


def test_unfiltered_lessons_trust_every_label():
    """`clean_split: none` learns from all labels as they are, but for those held out and those that are none."""
    pool = _pool(held_out=6)
    taught = lesson_of_trusted_labels(pool, None, filtered=False)
    assert pool.learned.tolist() == taught.trusted.tolist()
    assert 80 - 4 - 6 == taught.trusted.sum()
    assert np.eye(2)[pool.label_ids[:-4]].tolist() == taught.targets[:-4].tolist()


def test_held_out_labels_are_never_trusted():
    """A label kept for calibration is not learned from, filtered or not."""
    pool = _pool(held_out=10)
    for filtered in (True, False):
        assert not lesson_of_trusted_labels(pool, None, filtered=filtered).trusted[16:26].any()


def test_when_nothing_can_be_trusted_everything_is():
    """A split that trusts nobody would end the training; then it learns from all."""
    pool = Pool([[1]] * 2, np.array([0, 1]), np.array([True, False]), np.zeros((2, 2), dtype=np.float32))
    assert [False, True] == lesson_of_trusted_labels(pool, None, filtered=True).trusted.tolist()


def test_a_wrong_label_with_the_right_one_beside_it_is_taught_right():
    """Candidates turn a label that would be dropped into one that is learned, as what the student sees in it."""
    both = np.ones((80, 2), dtype=bool)
    taught = lesson_of_trusted_labels(_pool(candidates=both), None, filtered=True)
    assert [1 - number % 2 for number in range(16)] != taught.targets[:16].argmax(axis=1).tolist()
    assert [number % 2 for number in range(16)] == taught.targets[:16].argmax(axis=1).tolist()
    assert taught.trusted[:16].mean() > 0.5


@pytest.mark.parametrize("with_network", [False, True])
def test_what_a_person_confirmed_is_learned_although_the_losses_speak_against_it(with_network):
    """Confirmed labels are trusted and clean; the other labels the losses speak against still are neither."""
    pool = dataclasses.replace(_pool(), confirmed=np.arange(80) < 8)
    logits = pool.probe_logits if with_network else None
    taught, (_, probability) = lesson_of_trusted_labels(pool, logits, filtered=True), judge_label_trust(pool, logits)
    assert ([True] * 8 + [False] * 8) == taught.trusted[:16].tolist()
    assert [1.0] * 8 == probability[:8].tolist()
    assert probability[8:16].max() < 0.5


def test_what_a_person_confirmed_is_not_held_out_for_calibration():
    """A tenth of the other labels is; confirmed ones are too good not to be learned from."""
    ids = np.arange(400) % 2
    confirmed = np.arange(400) < 200
    held_out = _held_out(ids, np.random.default_rng(0), confirmed=confirmed)
    assert (0, 40) == (held_out[:200].sum(), held_out[200:].sum())


@pytest.mark.parametrize("trainer", [FrozenTrainer, TransformerTrainer])
def test_confirming_labels_changes_what_is_learned(trainer, settings, pool):
    """The student gives a label that a person stands by more weight than the same label from a language model."""
    texts, truth = pool[0][:120], pool[1][:120]
    odd = np.arange(len(texts)) % 4 == 0
    given = [1 - label if strange else label for label, strange in zip(truth, odd, strict=True)]

    def belief(confirmed):
        data = weighed(texts, given, confirmed=confirmed)
        fit = trainer(settings).fit(data, labels=("good", "bad"), seed=0, on_step=lambda *_: None)
        return fit.proba[np.arange(len(texts)), given][odd].mean()

    assert belief(None) + 0.05 < belief(odd)


@pytest.mark.parametrize(("seed", "with_network"), [(1, False), (2, True)])
def test_numbers_stay_with_their_text(seed, with_network):
    """Losses, P(clean) and lessons of a shuffled pool are the shuffled ones: none belongs to a position."""
    pool = _pool()
    order = np.random.default_rng(seed).permutation(80)
    logits = pool.probe_logits * 0.7 if with_network else None
    mixed = Pool(pool.tokens, pool.label_ids[order], pool.held_out[order], pool.probe_logits[order])
    mixed_logits = None if logits is None else logits[order]
    for one, two in zip(judge_label_trust(pool, logits), judge_label_trust(mixed, mixed_logits), strict=True):
        np.testing.assert_allclose(one[order], two, atol=1e-3)
    straight = lesson_of_trusted_labels(pool, logits, filtered=True)
    assert (
        straight.trusted[order].tolist()
        == lesson_of_trusted_labels(mixed, mixed_logits, filtered=True).trusted.tolist()
    )


@pytest.mark.parametrize("trainer", [FrozenTrainer, TransformerTrainer])
def test_the_clean_split_can_be_chosen(trainer, settings, pool):
    """The paper's split, none and the posterior make three students; the posterior's does no worse than the one that
    takes labels as they are, and the same texts judge the labels in all three."""
    texts, truth = pool[0][:90], pool[1][:90]
    noisy = [1 - label if number % 5 == 0 else label for number, label in enumerate(truth)]
    fits = [
        trainer(settings.model_copy(update={"clean_split": split})).fit(
            weighed(texts, noisy), labels=("good", "bad"), seed=0, on_step=lambda *_: None
        )
        for split in ("none", "mixture", "posterior")
    ]
    plain, _, posterior = ((fit.proba.argmax(axis=1) == truth).mean() for fit in fits)
    assert not np.array_equal(fits[0].proba, fits[1].proba)
    assert not np.array_equal(fits[0].proba, fits[2].proba)
    assert plain <= posterior
    for fit in fits[1:]:
        np.testing.assert_array_equal(fits[0].held_out, fit.held_out)


@pytest.mark.parametrize("trainer", [FrozenTrainer, TransformerTrainer])
def test_the_threshold_of_the_split_reaches_the_training(trainer, settings, pool):
    """`student.clean_threshold` decides which labels the paper's split learns from."""
    texts, truth = pool[0][:90], pool[1][:90]
    noisy = [1 - label if number % 5 == 0 else label for number, label in enumerate(truth)]
    strict, lax = (
        trainer(settings.model_copy(update={"clean_split": "mixture", "clean_threshold": threshold})).fit(
            LabelledTexts(texts, noisy),
            labels=("good", "bad"),
            seed=0,
            on_step=lambda *_: None,
        )
        for threshold in (0.9, 0.01)
    )
    assert not np.array_equal(strict.proba, lax.proba)


def test_warmup_epochs_are_plain():
    """In them the paper's split learns from every label."""
    pool = _pool()
    assert pool.learned.tolist() == lesson_of_trusted_labels(pool, None, filtered=False).trusted.tolist()


def test_a_posterior_is_taught_as_it_is():
    """Where all voices were weighed, every labelled text is learned from, with its probabilities as the target."""
    weighed_targets = np.full((80, 2), 0.5, dtype=np.float32)
    pool = dataclasses.replace(_pool(held_out=6), targets=weighed_targets)
    taught = lesson_of_trusted_labels(pool, None, filtered=False)
    assert pool.learned.tolist() == taught.trusted.tolist()
    assert taught.targets is weighed_targets


@pytest.fixture
def views(settings):
    """The two views a training of three texts computes, with the paraphrases given."""

    def of(*paraphrases):
        encoder = UntrainedEncoder(settings).fresh_encoder(("good", "bad"))
        tokens = encoder.tokenize(["a good film " * 8, "a bad film " * 8, "a film"])
        others = [encoder.tokenize([text])[0] if text else [] for text in paraphrases] if paraphrases else None
        pool = Pool(tokens, np.array([0, 1, 0]), np.zeros(3, dtype=bool), np.zeros((3, 2)), paraphrases=others)
        training = RobustTraining(encoder, pool, PLAIN, rng=np.random.default_rng(1))
        ids, mask = training._two_views(np.array([0, 1, 2]))
        return encoder, tokens, others, ids, mask

    return of


def _read(ids, mask, row):
    return ids[row][mask[row].bool()].tolist()


def test_the_second_view_is_the_paraphrase_where_there_is_one(views):
    """Its tokens are all there and none of the text's; texts without one hide some of their own instead."""
    encoder, tokens, others, ids, mask = views("a lovely movie that it was so very good " * 3, "", "all of it " * 9)
    assert [list(one) for one in tokens] == [_read(ids, mask, row) for row in range(3)]
    assert [list(others[0]), list(others[2])] == [_read(ids, mask, 3), _read(ids, mask, 5)]
    assert 0 < len(_read(ids, mask, 4)) < len(tokens[1])
    assert list(tokens[1]) == ids[4][: len(tokens[1])].tolist()
    assert encoder.tokenizer.pad_token_id in ids[2].tolist()


def test_without_paraphrases_every_second_view_hides_tokens(views):
    """The ids are those of the texts; the masks hide more than padding, never the first token."""
    _, tokens, _, ids, mask = views()
    assert ids[:3].tolist() == ids[3:].tolist()
    assert mask[3:].sum() < mask[:3].sum()
    assert [1, 1, 1] == mask[3:, 0].tolist()
    assert [len(one) for one in tokens] == mask[:3].sum(axis=1).tolist()


def test_paraphrases_reach_the_training_and_only_when_views_are_compared(settings, pool):
    """Other words change the trained student; empty ones are none; with consistency off they are never looked at."""
    texts, labels = pool[0][:32], pool[1][:32]
    words = ["a lovely film" if label == 0 else "an awful film" for label in labels]

    def proba(paraphrases, **update):
        trainer = TransformerTrainer(settings.model_copy(update=update))
        fit = trainer.fit(
            LabelledTexts(texts, labels, paraphrases=paraphrases),
            labels=("good", "bad"),
            seed=0,
            on_step=lambda *_: None,
        )
        return fit.proba

    hidden, reworded = proba(None, consistency="always"), proba(words)
    assert not np.array_equal(hidden, reworded)
    np.testing.assert_array_equal(hidden, proba([""] * 32))
    np.testing.assert_array_equal(proba(None), proba(words, consistency="never"))


def test_word_embeddings_stay_as_they_were(settings, pool):
    """Fine-tuning moves the layers and leaves the table of words alone."""
    texts, labels = pool[0][:32], pool[1][:32]
    before = UntrainedEncoder(settings).fresh_encoder(("good", "bad")).model.state_dict()
    fit = TransformerTrainer(settings).fit(
        LabelledTexts(texts, labels), labels=("good", "bad"), seed=0, on_step=lambda *_: None
    )
    assert isinstance(fit.student._encoder, encoders.Encoder)
    after = fit.student._encoder.model.state_dict()
    moved = {name for name in before if not np.array_equal(before[name].numpy(), after[name].numpy())}
    assert "bert.embeddings.word_embeddings.weight" not in moved
    assert any("encoder.layer.0" in name for name in moved)
