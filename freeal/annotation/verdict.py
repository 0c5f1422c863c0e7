"""What an answer comes to: a label with its confidence, or why there is none."""

from __future__ import annotations

import dataclasses

from freeal.annotation.reply_parser import read
from freeal.text import long_text_shortening
from freeal.types import Annotation, Prompt, Reply, Status


@dataclasses.dataclass(slots=True)
class Verdict:
    """What one reply says; `repairable` where a plainer question may help."""

    label: str | None
    confidence: float
    status: Status
    truncated: bool = False
    from_store: bool = False
    repairable: bool = False
    distribution: tuple[float, ...] | None = None
    alternatives: tuple[str, ...] = ()


def verdict_of(reply: Reply, prompt: Prompt, *, from_store: bool) -> Verdict:
    """The verdict of a reply; where it holds scores, they are judged together with all others'."""
    if reply.scores is not None:
        return Verdict(None, 0.0, Status.OK, reply.truncated, from_store)
    reading = read(reply, prompt.labels)
    verdict = Verdict(reading.label, reading.confidence, reading.status, reply.truncated, from_store)
    # A refusal is meant, and what was cut off was asked again already, with more room.
    verdict.repairable = reading.label is None and reply.outcome in {"answer", "empty"}
    verdict.alternatives = reading.alternatives
    return verdict


def annotation_of(verdict: Verdict | None, *, index: int, text: str, round_number: int) -> Annotation:
    """The annotation of the pool text `index`; without a verdict it was empty."""
    if verdict is None:
        return Annotation(index, None, 0.0, (Status.EMPTY_TEXT,), round_number)
    statuses = [] if verdict.status is Status.OK else [verdict.status]
    if verdict.truncated or len(text) > long_text_shortening.MOST_TEXT_CHARACTERS:
        statuses.append(Status.TRUNCATED)
    return Annotation(
        index=index,
        label=verdict.label,
        confidence=verdict.confidence,
        statuses=tuple(statuses) or (Status.OK,),
        round=round_number,
        distribution=verdict.distribution,
        alternatives=verdict.alternatives,
        from_store=verdict.from_store,
    )
