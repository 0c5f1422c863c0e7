"""A text as the student reads it: the first half of scoring."""

from __future__ import annotations

import numpy as np
import pytest

from freeal.settings import StudentSettings
from freeal.student.encoder.text_truncation import truncated_texts
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


def test_whoever_asks_which_texts_are_cut_hears_what_reading_them_says(student, tmp_path):
    """Short texts are not read for it: letters, digits and signs, each a token of its own, up to the bound and beyond,
    and letters of other scripts, of which one may be several tokens."""
    student.save(tmp_path)
    pieces = ("7", "x", "!", "good ", "\ufdfa", "\u00e9", "\u4e2d")
    texts = [piece * count for piece in pieces for count in range(1, 10)]
    expected = {place for place, one in enumerate(student.read(texts)) if one.cut}
    assert expected == truncated_texts(tmp_path, texts)
    assert 10 < len(expected) < 50
