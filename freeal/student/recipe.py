"""How long and how fast to train, from the settings, the number of texts and the width of the encoder."""

from __future__ import annotations

import dataclasses

from freeal.settings import StudentSettings

REFERENCE_WIDTH = 768
REFERENCE_RATE = 2e-5
HIGHEST_RATE = 5e-4


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """One training run, in numbers. Of the `epochs`, the first `warmup_epochs` are plain cross entropy."""

    epochs: int
    warmup_epochs: int
    batch_size: int
    learning_rate: float
    mixup: bool
    consistency: bool


def write(settings: StudentSettings, *, labelled: int, width: int) -> Recipe:
    """The recipe for `labelled` texts and an encoder of `width` dimensions. At least one epoch is plain, always."""
    epochs = settings.epochs or default_epochs(labelled)
    return Recipe(
        epochs=epochs,
        warmup_epochs=min(settings.warmup_epochs, max(1, epochs // 2)),
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate or default_learning_rate(width),
        mixup=settings.mixup,
        consistency=settings.consistency,
    )


def default_epochs(labelled: int) -> int:
    """Fewer texts need more passes to reach as many steps."""
    for below, epochs in ((100, 10), (300, 5), (1000, 4), (5000, 3)):
        if labelled < below:
            return epochs
    return 2


def default_learning_rate(width: int) -> float:
    """2e-5 at 768 dimensions; narrower encoders want larger steps (MiniLM, 384: 8e-5), up to 5e-4."""
    return min(REFERENCE_RATE * (REFERENCE_WIDTH / width) ** 2, HIGHEST_RATE)
