"""Files of many rows whose truth is known, without any model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from freeal.certification.sampling_frame import Frame, frame_of
from freeal.pool.text_pool import Pool
from freeal.types import Decision

LABELS = ("a", "b", "c")


@dataclasses.dataclass(frozen=True)
class Known:
    """A file: its pool, what was decided, its frame, and the true label of each row."""

    pool: Pool
    decisions: list[Decision]
    frame: Frame
    truth: np.ndarray


@pytest.fixture
def known_file():
    """A file of `texts` texts whose voices agree on four of five; those are right more often. Each text stands in as
    many rows as `copies` says."""

    def made(texts=600, *, seed=0, copies=1):
        rng = np.random.default_rng(seed)
        truth = rng.choice(LABELS, size=texts, p=(0.5, 0.3, 0.2))
        decisions = []
        for place in range(texts):
            agreed, sure = rng.uniform() < 0.8, rng.uniform(0.4, 1.0)
            right = rng.uniform() < (0.8 + 0.2 * sure if agreed else 0.55)
            label = truth[place] if right else LABELS[(LABELS.index(truth[place]) + 1) % 3]
            other = label if agreed else LABELS[(LABELS.index(label) + 1) % 3]
            source = "llm+student" if agreed else "llm"
            decisions.append(Decision(str(label), float(sure), source, str(label), str(other), float(sure), 1))
        row_index = tuple(place for place in range(texts) for _ in range(copies))
        first = tuple(place * copies for place in range(texts))
        words = [f"text {place} says {rng.integers(1 << 40)} and {rng.integers(1 << 40)}" for place in range(texts)]
        pool = Pool(tuple(words), row_index, first, ("text",))
        return Known(pool, decisions, frame_of(pool, decisions), truth[list(row_index)].astype(object))

    return made
