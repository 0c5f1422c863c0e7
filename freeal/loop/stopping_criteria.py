"""When to stop, and which round to keep. Neither looks at ground truth."""

from __future__ import annotations

import math
from collections.abc import Sequence

from freeal.loop.round_state import RoundState
from freeal.types import Annotation


def changed_labels(before: Sequence[Annotation], after: Sequence[Annotation]) -> int:
    """How many texts of the pool have another label than before."""
    return sum(old.label != new.label for old, new in zip(before, after, strict=True))


def settled(changed: int, pool_size: int, *, share: float) -> bool:
    """True when fewer than `share` of the labels changed: another training would learn nothing new."""
    return changed < share * pool_size


def best_round(rounds: Sequence[RoundState]) -> RoundState:
    """The last round, unless the LLM and the student agreed clearly more often before.

    Each round asks again with better demonstrations, so the last one is the best guess (FreeAL, Table 4); but a
    student that was led astray parts from its teacher, and that shows without any ground truth. "Clearly" is two
    standard errors of the difference, each agreement counted over the texts that have an answer: with
    `loop.annotate_share` that is a part of the pool.
    """
    best = rounds[-1]
    for state in reversed(rounds[:-1]):
        if _agreement(state) - _agreement(best) > 2 * math.hypot(_standard_error(state), _standard_error(best)):
            best = state
    return best


def _agreement(state: RoundState) -> float:
    return float(state.metrics["agreement"])


def _standard_error(state: RoundState) -> float:
    share = min(max(_agreement(state), 0.01), 0.99)
    answered = sum(note.label is not None for note in state.annotations)
    return math.sqrt(share * (1 - share) / max(1, answered))
