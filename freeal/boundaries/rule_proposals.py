"""Proposals of a rule for each pair of labels that compete: what a language model is asked, its answers as rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from freeal.annotation.prompts import rules_prompt
from freeal.annotation.reply_parser import Side, read_rules_in_reply
from freeal.annotation.send_prompts import Asker
from freeal.boundaries.boundaries_file import Boundaries, Pair, Rule
from freeal.llm.store.answer_store import request_key
from freeal.types import Prompt, Task

PROPOSALS = 2
"""For each pair."""


def proposal_prompts(boundaries: Boundaries, task: Task) -> dict[int, Prompt]:
    """Place of the pair -> what is asked about it; pairs that have proposals are left out."""
    return {
        place: rules_prompt(task, pair.between, texts=[(one.text, one.given or "") for one in pair.texts])
        for place, pair in enumerate(boundaries.pairs)
        if not pair.proposals
    }


async def ask_for_proposals(
    prompts: Mapping[int, Prompt], asker: Asker, *, fingerprint: str
) -> dict[int, list[tuple[Side, Side]]]:
    """What is proposed to each of these prompts, by their keys; none where no usable answer came, or money did not
    suffice. `fingerprint` is that of the language model. Raises the classes of `LlmError`."""
    keys = {place: request_key(prompt, fingerprint) for place, prompt in prompts.items()}
    asked = await asker.ask({keys[place]: prompt for place, prompt in prompts.items()}, lambda _: None)
    replies = {place: asked.replies.get(key) for place, key in keys.items()}
    return {place: [] if reply is None else read_rules_in_reply(reply) for place, reply in replies.items()}


def with_proposals(boundaries: Boundaries, said: Mapping[int, Sequence[tuple[Side, Side]]], *, by: str) -> Boundaries:
    """With what a language model (`by`: provider/model) proposed, by place of the pair."""
    if not any(said.values()):
        return boundaries
    pairs = [
        pair.model_copy(update={"proposals": tuple(_proposed_rules(pair, one) for one in said[place])})
        if said.get(place)
        else pair
        for place, pair in enumerate(boundaries.pairs)
    ]
    return boundaries.model_copy(update={"pairs": tuple(pairs), "proposed_by": by})


def _proposed_rules(pair: Pair, sides: tuple[Side, Side]) -> dict[str, Rule]:
    first, second = pair.between
    return {
        label: Rule(is_=is_, is_not=is_not, goes_to=other)
        for label, other, (is_, is_not) in ((first, second, sides[0]), (second, first, sides[1]))
    }
