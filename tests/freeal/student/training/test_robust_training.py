"""The robust run keeps every number with its text."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from freeal.compute import device
from freeal.settings import StudentSettings
from freeal.student.encoder import activation_memory, encoder
from freeal.student.encoder.locate_encoder import resolve_weights
from freeal.student.encoder.token_batches import padded_batch, shuffled_batches, sorted_by_length
from freeal.student.protocols import NO_LABEL
from freeal.student.training import hyperparameters
from freeal.student.training.label_trust import Pool, judge_label_trust, lesson_of_trusted_labels
from freeal.student.training.robust_training import RobustTraining


@pytest.fixture
def untrained(settings) -> encoder.Encoder:
    """A fresh two-label classifier."""
    compute = device.choose(settings)
    return encoder.load_encoder(
        resolve_weights(settings.model), labels=("good", "bad"), max_length=32, compute=compute, seed=0
    )


def pool_of(model: encoder.Encoder, texts: list[str], labels: list[int]) -> Pool:
    """A pool whose probe found nothing."""
    count = len(texts)
    ids = np.array(labels)
    return Pool(model.tokenize(texts), ids, np.zeros(count, dtype=bool), np.zeros((count, 2)))


def test_losses_belong_to_texts_not_positions(untrained, pool):
    """Shuffling the pool shuffles losses and P(clean) with it: nothing depends on where in a batch a text fell."""
    texts, labels = pool
    order = np.random.default_rng(4).permutation(len(texts))
    straight = pool_of(untrained, texts, labels)
    mixed = pool_of(untrained, [texts[index] for index in order], [labels[index] for index in order])
    one, two = (judge_label_trust(one, untrained.score(one.tokens)[1]) for one in (straight, mixed))
    np.testing.assert_allclose(one[0][order], two[0], atol=1e-5)
    np.testing.assert_allclose(one[1][order], two[1], atol=1e-3)


def test_no_label_no_loss(untrained):
    """A text without a label has no loss and no P(clean); the others have."""
    pool = pool_of(untrained, ["a good film", "a bad film", "a film"], [0, 1, NO_LABEL])
    losses, clean = judge_label_trust(pool, untrained.score(pool.tokens)[1])
    assert [False, False, True] == np.isnan(losses).tolist()
    assert 0 == clean[2]
    assert (clean[:2] > 0).all()


def test_held_out_labels_are_not_learned(untrained, settings, pool):
    """Swapping held-out labels changes nothing in the trained weights."""
    trained = []
    for flipped in (False, True):
        one = encoder.load_encoder(
            resolve_weights(settings.model), labels=("good", "bad"), max_length=32, compute=untrained.compute, seed=0
        )
        labels = np.array(pool[1])
        held_out = np.arange(len(labels)) % 5 == 0
        if flipped:
            labels[held_out] = 1 - labels[held_out]
        data = Pool(one.tokenize(pool[0]), labels, held_out, np.zeros((len(labels), 2)))
        plan = hyperparameters.Recipe(2, 2, 16, 1e-3, filtered=True, mixup=True, consistency=True)
        with one.compute.seeded(0):
            RobustTraining(one, data, plan, rng=np.random.default_rng(0)).run(lambda done, total: None)
        trained.append(one.score(data.tokens)[1])
    np.testing.assert_array_equal(*trained)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=200), st.integers(1, 9), st.integers(0, 3))
def test_batches_cover_every_text_once(lengths, size, seed):
    """Training and scoring batches hold each index exactly once, and none is larger than asked."""
    array = np.array(lengths)
    rng = np.random.default_rng(seed)
    for batches in (
        shuffled_batches(array, np.arange(len(array)), size=size, rng=rng),
        sorted_by_length(array, size=size),
    ):
        assert list(range(len(array))) == sorted(int(index) for batch in batches for index in batch)
        assert size >= max(len(batch) for batch in batches)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=200), st.integers(1, 9), st.integers(1, 90))
def test_scoring_batches_hold_no_more_tokens_than_asked(lengths, size, most):
    """With their padding, longest first, each text once; a longer text stands alone."""
    array = np.array(lengths)
    batches = sorted_by_length(array, size=size, most_tokens=most)
    ordered = [int(index) for batch in batches for index in batch]
    assert sorted(lengths, reverse=True) == array[ordered].tolist()
    assert list(range(len(array))) == sorted(ordered)
    assert all(len(batch) <= size for batch in batches)
    assert all(len(batch) == 1 or len(batch) * array[batch].max() <= most for batch in batches)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_processor_scores_in_batches_that_stay_in_its_cache(settings, precision):
    """Of at most 1,024 tokens with their padding, and 64 texts."""
    compute = device.choose(settings.model_copy(update={"precision": precision}))
    one = encoder.load_encoder(
        resolve_weights(settings.model), labels=("good", "bad"), max_length=32, compute=compute, seed=0
    )
    lengths = np.array([16] * 86 + [32] * 64)
    assert [len(batch) for batch in one.scoring_batches(lengths)] == [32, 32, 64, 22]


def _step(one, texts, labels, *, consistency=False):
    """The gradients of one step over all texts, after clipping, and how many texts went through the encoder at once."""
    passed, kept = [], {}
    names = {weight: name for name, weight in one.model.named_parameters()}
    one.model.register_forward_hook(lambda model, given, found: passed.append(len(found.logits)))
    pool = pool_of(one, texts, labels)
    plan = hyperparameters.Recipe(1, 1, len(texts), 1e-3, filtered=False, mixup=False, consistency=consistency)
    run = RobustTraining(one, pool, plan, rng=np.random.default_rng(0))
    run.optimizer.register_step_pre_hook(
        lambda *_: kept.update(
            {names[weight]: weight.grad.clone() for weight in run.weights if weight.grad is not None}
        )
    )
    run._optimizer_step(np.arange(len(texts)), lesson_of_trusted_labels(pool, None, filtered=False), float(consistency))
    return kept, passed


@pytest.mark.parametrize(
    ("texts", "consistency", "expected"), [(64, False, [64]), (100, False, [50, 50]), (64, True, [64, 64])]
)
def test_a_long_batch_is_learned_from_in_pieces(untrained, texts, consistency, expected):
    """Of at most 2,048 tokens on a processor, of which nothing is computed twice; both views of a text count, and are
    in the same piece."""
    assert expected == _step(untrained, ["film " * 30] * texts, [0, 1] * (texts // 2), consistency=consistency)[1]
    assert not any(layer.gradient_checkpointing for layer in activation_memory.bounded_layers(untrained.model))


def test_a_piece_has_enough_texts_for_mixup(settings):
    """Where eight of them are more tokens they stay together, and some layers are computed twice."""
    one = encoder.load_encoder(
        resolve_weights(settings.model), labels=("good", "bad"), max_length=128, compute=device.choose(settings), seed=0
    )
    assert [30] == _step(one, ["film " * 126] * 15, [0, 1, 0] * 5, consistency=True)[1]
    assert activation_memory.bounded_layers(one.model)[0].gradient_checkpointing


def test_pieces_have_the_gradients_of_the_whole_batch(still, settings):
    """Texts of different lengths, without dropout: where a batch is cut changes nothing that is learned."""
    texts = ["good " * (2 + number % 27) + "film" for number in range(96)]
    labels = [number % 3 % 2 for number in range(96)]

    def fresh():
        return encoder.load_encoder(
            resolve_weights(str(still)), labels=("good", "bad"), max_length=32, compute=device.choose(settings), seed=0
        )

    found, passed = _step(fresh(), texts, labels)
    assert 2 == len(passed)
    whole = fresh()
    weights = dict(whole.model.named_parameters())
    whole.model.get_input_embeddings().requires_grad_(requires_grad=False)
    logits = whole.forward(*whole.pad(whole.tokenize(texts)))[1]
    torch.nn.functional.cross_entropy(logits, torch.tensor(labels)).backward()
    torch.nn.utils.clip_grad_norm_([weight for weight in weights.values() if weight.grad is not None], 1.0)
    for name, gradient in found.items():
        torch.testing.assert_close(weights[name].grad, gradient, atol=1e-6, rtol=1e-4, msg=name)
    assert found.keys() == {name for name, weight in weights.items() if weight.grad is not None}


def test_padding():
    """Ids fill from the left, the mask says how far."""
    ids, mask = padded_batch([[5, 6, 7], [8]], pad_id=1)
    assert [[5, 6, 7], [8, 1, 1]] == ids.tolist()
    assert [[1, 1, 1], [1, 0, 0]] == mask.tolist()


def test_recipe():
    """Fewer texts get more epochs, narrow encoders larger steps, and at least one epoch is always plain."""
    epochs = [hyperparameters.default_epochs(count) for count in (1, 240, 600, 2000, 50_000)]
    assert epochs == sorted(epochs, reverse=True)
    assert hyperparameters.default_learning_rate(384) > hyperparameters.default_learning_rate(768)
    one = hyperparameters.recipe_for(StudentSettings(epochs=1), labelled=10, width=384, paraphrased=False)
    assert (1, 1) == (one.epochs, one.warmup_epochs)
