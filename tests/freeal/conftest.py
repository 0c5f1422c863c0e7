"""Small rounds to judge, decide and write."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from freeal.state import RoundState
from freeal.types import Annotation, Status


def _annotation(index: int, label: str | None, round_number: int) -> Annotation:
    status = Status.OK if label else Status.INVALID_ANSWER
    return Annotation(index, label, 0.9 if label else 0.0, (status,), round_number)


@pytest.fixture
def make_round() -> Callable[..., RoundState]:
    """A finished round from the LLM's labels, P(clean) and the student's probabilities, one entry per pool text."""

    def make(
        llm: Sequence[str | None],
        clean: Sequence[float],
        proba: Sequence[Sequence[float]],
        *,
        number: int = 1,
        agreement: float = 0.9,
    ) -> RoundState:
        notes = tuple(_annotation(index, label, number) for index, label in enumerate(llm))
        return RoundState(
            round=number,
            asked=notes,
            annotations=notes,
            demonstrations=(),
            representatives=(),
            clean_probability=np.array(clean, dtype=np.float32),
            proba=np.array(proba, dtype=np.float32),
            embeddings=np.eye(len(llm), dtype=np.float32),
            losses=np.zeros(len(llm), dtype=np.float32),
            metrics={"round": number, "agreement": agreement},
        )

    return make
