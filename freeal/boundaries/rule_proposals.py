"""Proposals of a rule for each pair of labels that compete: what a language model is asked, its answers as rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from freeal.annotation.prompts import rules_prompt
from freeal.annotation.reply_parser import Side
from freeal.boundaries.boundaries_file import Boundaries, Pair, Rule
from freeal.types import Prompt, Task

PROPOSALS = 2
"""For each pair."""


def prompts(boundaries: Boundaries, task: Task) -> dict[int, Prompt]:
    """Place of the pair -> what is asked about it; pairs that have proposals are left out."""
    return {
        place: rules_prompt(task, pair.between, texts=[(one.text, one.given or "") for one in pair.texts])
        for place, pair in enumerate(boundaries.pairs)
        if not pair.proposals
    }


def added(boundaries: Boundaries, said: Mapping[int, Sequence[tuple[Side, Side]]], *, by: str) -> Boundaries:
    """With what a language model (`by`: provider/model) proposed, by place of the pair."""
    if not any(said.values()):
        return boundaries
    pairs = [
        pair.model_copy(update={"proposals": tuple(_proposal(pair, one) for one in said[place])})
        if said.get(place)
        else pair
        for place, pair in enumerate(boundaries.pairs)
    ]
    return boundaries.model_copy(update={"pairs": tuple(pairs), "proposed_by": by})


def _proposal(pair: Pair, sides: tuple[Side, Side]) -> dict[str, Rule]:
    first, second = pair.between
    return {
        label: Rule(is_=is_, is_not=is_not, goes_to=other)
        for label, other, (is_, is_not) in ((first, second, sides[0]), (second, first, sides[1]))
    }
