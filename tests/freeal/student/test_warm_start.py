"""A student that goes on from the last version's encoder."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from freeal.errors import ModelFolderError
from freeal.student.finetune_trainer import TransformerTrainer
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.trainer_factory import make_trainer
from freeal.student.untrained_encoder import UntrainedEncoder


def _fit(trainer, texts, ids, labels=("good", "bad")):
    return trainer.fit(LabelledTexts(texts, ids), labels=labels, seed=0, on_step=lambda *_: None)


def _saved(trainer, folder, pool):
    folder.mkdir()
    _fit(trainer, pool[0][:48], pool[1][:48]).student.save(folder)
    return folder


@pytest.fixture(scope="module")
def finetuned(settings, pool, tmp_path_factory):
    """A saved student that was fine-tuned for two epochs."""
    trainer = TransformerTrainer(settings.model_copy(update={"epochs": 2}))
    return _saved(trainer, tmp_path_factory.mktemp("versions") / "one", pool)


def _encoder(start, labels=("good", "bad")):
    return {name: weight.numpy() for name, weight in start.fresh_encoder(labels).model.bert.state_dict().items()}


def test_it_starts_from_the_previous_encoder(settings, finetuned):
    """Every weight of the encoder is the saved one, no layer is appended twice, and none is that of the base model."""
    from safetensors.numpy import load_file

    saved = load_file(finetuned / "model.safetensors")
    warm, cold = _encoder(UntrainedEncoder(settings, finetuned)), _encoder(UntrainedEncoder(settings))
    assert set(cold) == set(warm)
    assert all(np.array_equal(saved[f"bert.{name}"], weight) for name, weight in warm.items())
    assert any(not np.array_equal(cold[name], warm[name]) for name in warm)


def test_the_labels_may_be_others(settings, finetuned, pool):
    """Three labels after two: a head of their number, their names, and what was learned before still helps."""
    labels = ("superb", "awful", "neither")
    training = _fit(TransformerTrainer(settings, finetuned), pool[0][:48], pool[1][:48], labels)
    assert (48, 3) == training.proba.shape
    assert labels == training.student.labels
    assert 0.8 < (training.proba.argmax(axis=1) == pool[1][:48]).mean()


def test_every_fit_starts_from_the_same_weights(settings, finetuned, pool):
    """A second round goes on from the saved version, not from the round before it."""
    trainer = TransformerTrainer(settings.model_copy(update={"epochs": 1}), finetuned)
    first, again = (_fit(trainer, pool[0][:24], pool[1][:24]).proba for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_a_warm_student_can_be_gone_on_from_again(settings, finetuned, pool, tmp_path):
    """The third version has as many layers as the first."""
    second = _saved(TransformerTrainer(settings.model_copy(update={"epochs": 1}), finetuned), tmp_path / "two", pool)
    layers = [json.loads((folder / "config.json").read_text())["num_hidden_layers"] for folder in (finetuned, second)]
    assert [3, 3] == layers
    assert set(_encoder(UntrainedEncoder(settings))) == set(_encoder(UntrainedEncoder(settings, second)))


def test_the_previous_folder_is_left_alone(settings, finetuned, pool):
    """Going on from a published version changes not a byte of it."""
    before = {path.name: path.read_bytes() for path in finetuned.iterdir()}
    _fit(TransformerTrainer(settings.model_copy(update={"epochs": 1}), finetuned), pool[0][:8], pool[1][:8])
    assert before == {path.name: path.read_bytes() for path in finetuned.iterdir()}


def test_a_frozen_version_has_nothing_to_go_on_from(settings, pool, tmp_path):
    """Its encoder is the base model's: the error says what it is and what was wanted."""
    frozen = _saved(FrozenTrainer(settings), tmp_path / "frozen", pool)
    with pytest.raises(ModelFolderError, match=r"is a frozen .*, not a finetune"):
        TransformerTrainer(settings, frozen)


def test_another_encoder_is_refused(settings, finetuned, tmp_path):
    """A version of another base model is no start for this one."""
    other = shutil.copytree(settings.model, tmp_path / "other_encoder")
    with pytest.raises(ModelFolderError, match="not a finetune other_encoder"):
        make_trainer(settings.model_copy(update={"model": str(other)}), texts=10, previous=finetuned)


def _cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    "harm",
    [
        _cut,
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "freeal.json").write_text("{"),
        lambda folder: (folder / "config.json").unlink(),
        lambda folder: (folder / "tokenizer.json").unlink(),
        shutil.rmtree,
    ],
    ids=["cut weights", "no weights", "broken card", "no config", "no tokenizer", "no folder"],
)
def test_a_damaged_version_is_noticed_before_anything_is_asked(settings, finetuned, tmp_path, harm):
    """Whatever is broken shows when the trainer is made, as an error of the folder."""
    damaged = shutil.copytree(finetuned, tmp_path / "damaged")
    harm(damaged)
    with pytest.raises(ModelFolderError):
        TransformerTrainer(settings, damaged)
