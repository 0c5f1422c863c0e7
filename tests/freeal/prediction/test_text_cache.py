"""Answers to texts seen before."""

from __future__ import annotations

import numpy as np

from freeal.prediction.text_cache import Answer, Memory, digest


def _answer(value):
    return Answer(np.array([value, 1 - value], dtype=np.float32), cut=value > 0.5)


def test_an_answer_comes_back_as_it_was():
    """Probabilities to the last bit, and whether the text was cut."""
    memory = Memory(2)
    memory.add(digest("a"), _answer(0.75))
    found = memory.find(digest("a"))
    assert (0.75, 0.25, True) == (*found.proba, found.cut)
    assert memory.find(digest("b")) is None


def test_memory_stays_bounded_and_keeps_what_is_used():
    """However many texts pass, no more than two generations are held; one asked for again and again stays."""
    memory = Memory(2, limit_bytes=20_000)
    for number in range(1_000):
        memory.add(digest(str(number)), _answer(0.25))
        memory.add(digest("often"), _answer(0.75)) if number == 0 else memory.find(digest("often"))
        assert len(memory) <= 2 * memory.capacity
    assert memory.find(digest("often")) is not None
    assert memory.find(digest("0")) is None


def test_a_text_that_is_no_unicode_has_a_digest_too():
    """A lone surrogate is hashed, not refused."""
    assert digest("\ud800") != digest("\ud801")
