"""A text as the student reads it: the first half of scoring."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.settings import StudentSettings
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.testing.tiny_encoder import tiny_encoder


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """Reads eight tokens, two of them special."""
    encoder = tiny_encoder(tmp_path_factory.mktemp("encoder"))
    settings = StudentSettings(model=str(encoder), mode="frozen", max_length=8, device="cpu", precision="fp32")
    data = LabelledTexts(["good film", "bad film"] * 10, [0, 1] * 10)
    return FrozenTrainer(settings).fit(data, labels=("good", "bad"), seed=0, on_step=lambda done, total: None).student


def test_a_text_that_just_fits_is_not_cut(student):
    """Six words fill what is read; the seventh is the first that does not count."""
    assert [False, False, True] == [text.cut for text in student.read(["good", "the " * 6, "the " * 7])]


def test_both_halves_make_a_whole(student):
    """`score` of what was read is `predict_proba`."""
    texts = ["good film", "a bad and very long text of many words", "film"]
    np.testing.assert_allclose(student.predict_proba(texts), student.score(student.read(texts)), atol=1e-6)


def test_nothing_is_read_of_nothing(student):
    """No texts are no error."""
    assert [] == student.read([])
    assert (0, 2) == student.score([]).shape
