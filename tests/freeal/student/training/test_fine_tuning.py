"""A robust run by several processes is the run of one: without any cluster (freeal/testing/training_processes.py)."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from freeal.compute import device
from freeal.compute.batch_halving import Room
from freeal.compute.process_group import Alone
from freeal.student.encoder import encoder
from freeal.student.encoder.locate_encoder import resolve_weights
from freeal.student.training.fine_tuning import FineTuning
from freeal.student.training.hyperparameters import Recipe
from freeal.student.training.label_trust import Pool
from freeal.testing.training_processes import FolderCheckpoints, train_together

pytestmark = pytest.mark.timeout(300)  # processes load torch, on machines that do other things too
RECIPE = Recipe(4, 2, 8, 2e-3, filtered=True, mixup=False, consistency=False)
NEAR = 2e-3
"""Between the logits (0.1 to 3) of one process and of several: sums of float32 in another order, over 40 steps. Found:
0.00002."""


@pytest.fixture
def task_of(settings, pool):
    """A fresh run over 77 texts, a ninth of whose labels are wrong and some held out, from an encoder in a folder."""
    texts, labels = pool[0][:77], np.array(pool[1][:77])
    labels[::9] = 1 - labels[::9]

    def made(folder, recipe=RECIPE):
        own = settings.model_copy(update={"model": str(folder)})
        one = encoder.load_encoder(
            resolve_weights(own.model), labels=("good", "bad"), max_length=32, compute=device.choose(own), seed=0
        )
        held_out = np.arange(77) % 10 == 0
        probe = np.random.default_rng(5).normal(size=(77, 2)) + 2 * np.eye(2)[labels]
        data = Pool(one.tokenize(texts), labels, held_out, probe)
        return FineTuning(one, data, recipe, np.random.default_rng(3), 7, own)

    return made


def _logits(task):
    return task.encoder.score(task.pool.tokens)[1]


def _quiet(done, total):
    """Nobody watches."""


def _alone(task, checkpoints=None):
    task.run(Alone(), checkpoints, _quiet)
    return _logits(task)


@pytest.mark.parametrize("size", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_several_processes_learn_what_one_learns(task_of, still, tmp_path, size):
    """Each learns from its part of every batch (of the last of them two have no text at all); the clean split of each
    epoch is of all losses, by row; in the end all have the same weights, and those of one process."""
    expected, found = task_of(still), task_of(still)
    states = train_together(found, tmp_path / "run", size=size)
    assert {states[0]} == set(states)
    found.take(states[0])
    np.testing.assert_allclose(_alone(expected), _logits(found), atol=NEAR)


def test_what_fits_into_memory_is_known_where_the_task_arrives(task_of, still):
    """A job that ran out of memory once computes no more texts at once on a cluster's workers than here."""
    task = task_of(still)
    assert pickle.loads(pickle.dumps(task)).encoder.room.most_trained is None  # noqa: S301 - just written
    task.encoder.room = Room(3)
    arrived = pickle.loads(pickle.dumps(task))  # noqa: S301 - just written
    assert 3 == arrived.encoder.room.most_trained
    assert 3 == arrived.encoder.room.at_once("training", 8)


@pytest.mark.slow
def test_dropout_and_mixup_are_drawn_by_each_process_and_the_same_again(task_of, encoder_folder, tmp_path):
    """The same number of processes gives the same bytes every time, another number other ones; both learn most of what
    they are told, a ninth of which is wrong."""
    recipe = dataclasses.replace(RECIPE, mixup=True, consistency=True)
    first, again = (train_together(task_of(encoder_folder, recipe), tmp_path / name, size=2)[0] for name in "ab")
    assert first == again
    task = task_of(encoder_folder, recipe)
    task.take(first)
    two = _logits(task)
    one = _alone(task_of(encoder_folder, recipe))
    assert NEAR < np.abs(one - two).max()
    learned = ~task.pool.held_out
    for logits in (one, two):
        assert 0.7 < (logits.argmax(axis=1) == task.pool.label_ids)[learned].mean()


@pytest.mark.slow
def test_processes_that_end_go_on_where_they_were(task_of, encoder_folder, tmp_path):
    """After two of four epochs all end; those that come after them make what the first would have made, bit for bit."""
    recipe = dataclasses.replace(RECIPE, mixup=True)
    whole = train_together(task_of(encoder_folder, recipe), tmp_path / "whole", size=2)
    train_together(task_of(encoder_folder, recipe), tmp_path / "cut", size=2, ends_at=2)
    assert whole == train_together(task_of(encoder_folder, recipe), tmp_path / "cut", size=2)


def test_one_process_goes_on_where_it_was(task_of, encoder_folder, tmp_path):
    """Its dropout too: torch's random numbers are in the checkpoint."""
    recipe = dataclasses.replace(RECIPE, mixup=True)
    expected = _alone(task_of(encoder_folder, recipe), FolderCheckpoints(tmp_path / "whole"))
    with pytest.raises(SystemExit):
        _alone(task_of(encoder_folder, recipe), FolderCheckpoints(tmp_path / "cut", ends_at=2))
    np.testing.assert_array_equal(
        expected, _alone(task_of(encoder_folder, recipe), FolderCheckpoints(tmp_path / "cut"))
    )


def test_it_arrives_as_it_was_sent(task_of, encoder_folder):
    """Pickled for another process it is the same run: the same identity, the same weights in the end."""
    sent = task_of(encoder_folder)
    arrived = pickle.loads(pickle.dumps(sent))  # noqa: S301 - just written
    assert sent.identity == arrived.identity
    np.testing.assert_array_equal(_alone(sent), _alone(arrived))


def test_another_beginning_is_another_identity(task_of, encoder_folder, still):
    """No checkpoint is taken for that of another run: labels, recipe, texts, targets and seeds are in the digest."""
    task = task_of(encoder_folder)
    flipped = dataclasses.replace(task.pool, label_ids=1 - task.pool.label_ids)
    taught = dataclasses.replace(task.pool, targets=np.full((77, 2), 0.5, dtype=np.float32))
    shorter = dataclasses.replace(task.pool, tokens=[tokens[:4] for tokens in task.pool.tokens])
    others = [
        *(dataclasses.replace(task, pool=pool) for pool in (flipped, taught, shorter)),
        dataclasses.replace(task, seed=8),
        dataclasses.replace(task, rng=np.random.default_rng(4)),
        dataclasses.replace(task, recipe=dataclasses.replace(RECIPE, epochs=5)),
    ]
    assert 7 == len({task.identity, *(other.identity for other in others)})
