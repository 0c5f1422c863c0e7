"""The student of words alone: it keeps the contract of the others, and is saved without a pickle."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.compute.listener import unwatched
from freeal.errors import CorruptModelError, ModelFolderError
from freeal.student.model_folder import load_student
from freeal.student.protocols import NO_LABEL
from freeal.student.tfidf_trainer import TfidfTrainer
from freeal.testing.weighed_labels import weighed


def _fit(texts, ids, *, labels=("bad", "good")):
    data = weighed(texts, ids, labels=len(labels))
    return TfidfTrainer().fit(data, labels=labels, seed=0, on_step=unwatched)


def test_it_learns_words_from_noisy_labels(pool):
    """One label in five is wrong, and nearly all are found."""
    texts, truth = pool
    ids = np.array(truth)
    ids[::5] = 1 - ids[::5]
    training = _fit(texts, ids)
    assert (training.proba.argmax(axis=1) == truth).mean() >= 0.9
    assert (len(texts), 2) == training.held_out.shape
    assert training.losses[::5].mean() > training.losses[1::5].mean()


def test_a_saved_student_predicts_as_before_and_is_no_pickle(pool, tmp_path):
    """Words, numbers and a card: what everybody may load."""
    texts, truth = pool
    student = _fit(texts, [*truth[:150], *[NO_LABEL] * 10]).student
    student.save(tmp_path)
    assert {"freeal.json", "model.safetensors", "terms.json"} == {path.name for path in tmp_path.iterdir()}
    loaded = load_student.load(tmp_path)
    new = [*texts[:5], "", "!?", "never seen"]
    np.testing.assert_allclose(student.predict_proba(new), loaded.predict_proba(new), atol=1e-6)
    np.testing.assert_allclose(loaded.predict_proba(new), loaded.score(loaded.read(new)))
    assert ("bad", "good") == loaded.labels
    assert loaded.size_bytes == pytest.approx(sum(path.stat().st_size for path in tmp_path.iterdir()), rel=0.3)


@pytest.mark.parametrize("ids", [[1] * 20, [0, *[1] * 19]])
def test_labels_that_were_never_met_do_not_win(ids):
    """One label alone, or two of three."""
    training = _fit([f"word{number} and" for number in range(20)], ids, labels=("a", "b", "c"))
    assert 2 not in training.proba.argmax(axis=1)
    np.testing.assert_allclose(1.0, training.proba.sum(axis=1), atol=1e-5)


def test_the_same_seed_gives_the_same_student(pool):
    """Nothing is left to chance."""
    texts, truth = pool
    np.testing.assert_array_equal(_fit(texts, truth).proba, _fit(texts, truth).proba)


def test_a_damaged_folder_is_named(pool, tmp_path):
    """A file that is missing, or fits no other."""
    _fit(*pool).student.save(tmp_path)
    whole = (tmp_path / "terms.json").read_text()
    (tmp_path / "terms.json").write_text('["one"]')
    with pytest.raises(CorruptModelError, match=r"does not fit terms\.json"):
        load_student.load(tmp_path)
    (tmp_path / "terms.json").write_text(whole)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(CorruptModelError, match="cannot be read"):
        load_student.load(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelFolderError, match="is missing"):
        load_student.load(tmp_path)
