"""Which texts can get another label when the meanings of some labels change; only they are asked again."""

from __future__ import annotations

from collections.abc import Container, Sequence

from freeal.types import Annotation, Decision

SURE = 0.95
"""A text whose voices agree, with at least this confidence, stays where it is."""
_PLAUSIBLE = 0.05


def changeable(
    annotations: Sequence[Annotation], decisions: Sequence[Decision], *, labels: Sequence[str], changed: Container[str]
) -> list[int]:
    """Pool indices, in order: a voice gave one of the `changed` labels, or might as well have, and not both are sure.

    What a person labelled is settled and not among them.
    """
    found = []
    for index, (note, decision) in enumerate(zip(annotations, decisions, strict=True)):
        if decision.source == "corrected" or not _touches(note, decision, labels, changed):
            continue
        agreed = decision.llm_label == decision.student_label == decision.label
        if not agreed or decision.confidence < SURE:
            found.append(index)
    return found


def _touches(note: Annotation, decision: Decision, labels: Sequence[str], changed: Container[str]) -> bool:
    if any(said in changed for said in (decision.llm_label, decision.student_label, decision.label) if said):
        return True
    if note.distribution is not None:
        pairs = zip(labels, note.distribution, strict=True)
        return any(mass >= _PLAUSIBLE and label in changed for label, mass in pairs)
    return any(label in changed for label in note.alternatives)
