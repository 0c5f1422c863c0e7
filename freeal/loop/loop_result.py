"""What the rounds of a job came to."""

from __future__ import annotations

import dataclasses

from freeal.annotation.question_form_trial import FormChoice
from freeal.loop.round_state import RoundState
from freeal.types import Annotation


@dataclasses.dataclass(frozen=True, slots=True)
class LoopResult:
    """All finished rounds, the one that is kept, and the answers given before the first (empty unless asked for);
    `forms` says in which form each language model was asked, by its place, as far as it was asked here."""

    rounds: tuple[RoundState, ...]
    best: RoundState
    zero_shot: tuple[Annotation, ...]
    budget_reached: bool
    forms: dict[int, FormChoice] = dataclasses.field(default_factory=dict)
