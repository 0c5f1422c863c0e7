"""Settings for the tiny encoder and a small pool for every student test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from freeal.settings import StudentSettings

GOOD, BAD = ("good", "great", "superb", "lovely", "best"), ("bad", "awful", "poor", "terrible", "worst")
NEUTRAL = ("film", "book", "phone", "story", "price", "food", "room", "music", "game", "team", "market", "science")


@pytest.fixture(scope="session")
def settings(encoder_folder: Path) -> StudentSettings:
    """Small and exact: float32 on the CPU."""
    return StudentSettings(
        model=str(encoder_folder),
        device="cpu",
        precision="fp32",
        epochs=4,
        batch_size=16,
        learning_rate=2e-3,
        max_length=32,
    )


@pytest.fixture(scope="session")
def pool() -> tuple[list[str], list[int]]:
    """160 distinct texts of two kinds, with their true label ids."""
    rng = np.random.default_rng(0)
    texts, labels = [], []
    for number in range(160):
        label = int(rng.integers(0, 2))
        words = list(rng.choice(NEUTRAL, int(rng.integers(2, 5)))) + list(rng.choice((GOOD, BAD)[label], 3))
        texts.append(" ".join(rng.permutation(words)) + f" {number}")
        labels.append(label)
    return texts, labels
