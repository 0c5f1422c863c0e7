"""freeal/student/encoder/feature_cache.py: each text is encoded once, as far as the bound goes."""

from __future__ import annotations

import types
from pathlib import Path

import numpy as np
import pytest

from freeal.compute import scratch_arrays
from freeal.student.encoder.feature_cache import FeatureCache


class CountingEncoder:
    """An encoder whose feature of a text is its length; it notes what it was asked to encode."""

    head = types.SimpleNamespace(in_features=1)

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def tokenize(self, texts):
        """The texts themselves."""
        self.encoded += texts
        return texts

    def score(self, texts, *, on_batch, into=None):
        """One feature each, as often as there are columns."""
        on_batch(len(texts), len(texts))
        found = np.empty((len(texts), self.head.in_features), dtype=np.float32) if into is None else into
        found[:] = np.array([[len(text)] for text in texts]).reshape(len(texts), 1)
        return found, None


@pytest.mark.parametrize(("bound", "encoded"), [(101, 101), (100, 103), (90, 123)])
def test_looking_again_encodes_only_what_had_no_room(bound, encoded):
    """Three looks at 101 texts: one beyond the bound is encoded thrice, the other hundred once."""
    texts, encoder, cache = (
        [f"text {number}" for number in range(101)],
        CountingEncoder(),
        FeatureCache(most_texts=bound),
    )
    for _ in range(3):
        assert [[len(text)] for text in texts] == cache.features(texts, encoder).tolist()
    assert encoded == len(encoder.encoded)


def test_what_a_look_did_not_want_makes_way():
    """Another pool takes the place of the one before; what both have in common stays."""
    encoder, cache = CountingEncoder(), FeatureCache(most_texts=4)
    cache.features(["a", "b", "c", "d"], encoder)
    cache.features(["d", "e", "f", "d"], encoder)
    encoder.encoded.clear()
    cache.features(["d", "e", "f"], encoder)
    assert [] == encoder.encoded


def test_no_text_gives_no_features():
    """An empty look has the right width."""
    assert (0, 1) == FeatureCache().features([], CountingEncoder()).shape


def test_more_texts_than_memory_is_for_lie_in_half_precision_on_the_disk(tmp_path):
    """Encoded once, whatever is looked at again, and in whichever order; what was in memory before is there too."""
    texts = [f"text {number}" for number in range(300)]
    encoder, cache = CountingEncoder(), FeatureCache(most_texts=100, scratch=tmp_path)
    few = cache.features(texts[:50], encoder)
    many = cache.features(texts, encoder)
    assert (np.float32, np.float16) == (few.dtype, many.dtype)
    assert [[len(text)] for text in texts] == many.tolist()
    wanted = texts[::-1] + texts[7:9]
    assert [[len(text)] for text in wanted] == cache.features(wanted, encoder).tolist()
    assert [[7.0]] == cache.features(["text 20"], encoder).tolist()
    assert 300 == len(encoder.encoded)


def test_large_features_lie_on_the_disk_in_full_precision_too(tmp_path):
    """No memory holds them, once there is a folder for them."""
    encoder, columns = CountingEncoder(), scratch_arrays.FROM_BYTES // 8 + 1
    encoder.head = types.SimpleNamespace(in_features=columns)
    found = FeatureCache(scratch=tmp_path).features(["ab", "abc"], encoder)
    assert np.float32 == found.dtype
    assert [2.0, 3.0] == found[:, -1].tolist()
    assert str(tmp_path) in Path("/proc/self/maps").read_text(encoding="utf-8")


def test_what_is_given_is_not_to_be_written_to():
    """It is the one that is kept."""
    encoder, cache = CountingEncoder(), FeatureCache()
    found = cache.features(["a", "b"], encoder)
    assert np.shares_memory(found, cache.features(["a", "b"], encoder))
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1.0
