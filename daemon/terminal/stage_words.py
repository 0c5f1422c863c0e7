"""Where a job is, in words."""

from __future__ import annotations

_WORDS = {"loading": "loading the models", "selecting": "finding the form of the question"}


def stage_in_words(stage: str, *, round_number: int, rounds: int) -> str:
    """`round 1 of 3, training`; outside the rounds the stage alone."""
    of_rounds = f" of {rounds}" if rounds else ""
    in_round = f"round {round_number}{of_rounds}" if round_number else ""
    return ", ".join(part for part in (in_round, _WORDS.get(stage, stage)) if part)
