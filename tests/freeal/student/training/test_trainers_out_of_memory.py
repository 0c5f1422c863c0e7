"""Too little memory halves the batch and changes nothing else; a device that fails is told by name."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from freeal.compute.batch_halving import Room
from freeal.compute.device_errors import is_out_of_memory, named_device_error
from freeal.compute.listener import Listener
from freeal.errors import DeviceError, TrainingError
from freeal.student.encoder import encoder as encoders
from freeal.student.finetune_trainer import TransformerTrainer
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.training import hyperparameters
from freeal.student.training.label_trust import Pool, lesson_of_trusted_labels
from freeal.student.training.robust_training import RobustTraining
from freeal.student.untrained_encoder import UntrainedEncoder

CPU = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate"
NO_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError(CPU),
    MemoryError(),
]
LOST = torch.AcceleratorError("CUDA error: device-side assert triggered", 710)


@dataclasses.dataclass
class Memory:
    """How many texts the pretended device holds, and what it says to more."""

    holds: int = 10**9
    error: Exception = dataclasses.field(default_factory=lambda: NO_MEMORY[0])
    largest: int = 0

    def check(self, module, inputs):
        if not isinstance(module, nn.Embedding) or inputs[0].ndim != 2:
            return
        texts = inputs[0].shape[0]
        if texts > self.holds:
            raise self.error
        self.largest = max(self.largest, texts)


@pytest.fixture
def memory():
    """Every embedding layer of torch asks it before it computes."""
    pretended = Memory()
    handle = register_module_forward_pre_hook(pretended.check)
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(handle.remove)
        yield pretended


def fit(trainer, pool, steps=None):
    data = LabelledTexts(*pool)
    on_step = (lambda done, total: None) if steps is None else (lambda done, total: steps.append((done, total)))
    return trainer.fit(data, labels=("good", "bad"), seed=0, on_step=on_step)


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("kind", [TransformerTrainer, FrozenTrainer])
def test_a_batch_that_does_not_fit_is_halved_until_it_does(kind, error, settings, pool, memory):
    """The fit goes on, tells so, and its student knows the labels as well as one that had room."""
    told = []
    room = Room(listener=Listener(on_notice=told.append))
    memory.holds, memory.error = 3, error
    training = fit(kind(settings, room=room), pool)
    assert 3 >= memory.largest > 0
    assert any("with 4 texts at once: it goes on with 2" in message for message in told)
    assert np.mean(training.proba.argmax(axis=1) == np.array(pool[1])) > 0.8


@pytest.mark.parametrize("kind", [TransformerTrainer, FrozenTrainer])
def test_a_single_text_that_does_not_fit_is_the_end(kind, settings, pool, memory):
    """There is nothing left to halve: the message says what to do."""
    memory.holds = 0
    with pytest.raises(TrainingError, match=r"one text at a time.*student\.max_length"):
        fit(kind(settings), pool)


@pytest.mark.parametrize("kind", [TransformerTrainer, FrozenTrainer])
def test_a_device_that_fails_is_told_by_name(kind, settings, pool, memory):
    """A smaller batch would not help; a fresh process may, and else the CPU."""
    memory.holds, memory.error = 0, LOST
    with pytest.raises(DeviceError, match=r"device-side assert.*student\.device: cpu"):
        fit(kind(settings), pool)


def test_an_error_of_another_kind_is_left_as_it_is(settings, pool, memory):
    """A mistake of ours must not look like a want of memory."""
    memory.holds, memory.error = 0, RuntimeError("shapes do not match")
    with pytest.raises(RuntimeError, match="shapes do not match"):
        fit(TransformerTrainer(settings), pool)


def test_what_did_not_fit_is_not_tried_again(settings, pool, memory):
    """Nor in the next round: two kinds of work, each told once per halving."""
    told = []
    trainer = TransformerTrainer(settings, room=Room(listener=Listener(on_notice=told.append)))
    memory.holds = 4
    fit(trainer, pool)
    once = len(told)
    fit(trainer, pool)
    assert once == len(told) == len(set(told))


def test_a_process_that_was_killed_begins_with_half(settings, pool, memory):
    """`most_at_once` caps training and scoring from the first batch on."""
    fit(TransformerTrainer(settings, room=Room(8)), pool)
    assert 8 == memory.largest


def test_pieces_learn_what_the_whole_batch_would(settings, pool):
    """Gradients of a batch learned in pieces add up to those of the batch at once; dropout aside, which is off here."""
    gradients = []
    for most in (None, 3):
        start = UntrainedEncoder(settings, room=Room(most))
        encoder = start.fresh_encoder(("good", "bad"))
        for part in encoder.model.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0
        gradients.append(_gradient_of_one_step(encoder, pool))
    assert max(float((one - two).abs().max()) for one, two in zip(*gradients, strict=True)) < 1e-6


def _gradient_of_one_step(encoder: encoders.Encoder, pool):
    texts, labels = pool[0][:8], np.array(pool[1][:8])
    held = np.zeros(8, dtype=bool)
    held[2] = True
    data = Pool(encoder.tokenize(texts), labels, held, np.zeros((8, 2)))
    plan = hyperparameters.Recipe(1, 1, 8, 1e-3, filtered=False, mixup=False, consistency=False)
    run = RobustTraining(encoder, data, plan, rng=np.random.default_rng(0))
    kept = []
    run.optimizer.register_step_pre_hook(
        lambda optimizer, *_: kept.extend(
            weight.grad.clone()
            for group in optimizer.param_groups
            for weight in group["params"]
            if weight.grad is not None
        )
    )
    run._optimizer_step(np.arange(8), lesson_of_trusted_labels(data, None, filtered=False), 0.0)
    return kept


def test_scores_do_not_depend_on_how_much_fits(settings, pool, memory):
    """Scoring in halves gives the same numbers, in the same order."""
    encoder = UntrainedEncoder(settings).fresh_encoder(("good", "bad"))
    tokens = encoder.tokenize(pool[0])
    straight = encoder.score(tokens)
    memory.holds = 5
    pieces = encoder.score(tokens)
    np.testing.assert_allclose(straight[1], pieces[1], atol=1e-5)


def test_embedding_tells_how_far_it_is(settings, pool):
    """Of a large pool it takes minutes: whoever watches must not think that nothing happens."""
    seen = []
    room = Room(listener=Listener(on_embedded=lambda done, total: seen.append((done, total))))
    FrozenTrainer(settings, room=room).embed(pool[0])
    assert seen
    assert (160, 160) == seen[-1]


@pytest.mark.parametrize(("error", "is_memory"), [(NO_MEMORY[1], True), (LOST, False), (ValueError("x"), False)])
def test_errors_are_told_apart(error, is_memory):
    """By class where there is one, by torch's words on a CPU."""
    assert is_memory == is_out_of_memory(error)
    assert (
        isinstance(named_device_error(error), TrainingError if is_memory else DeviceError)
        or named_device_error(error) is error
    )
