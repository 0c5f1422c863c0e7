"""Which texts can get another label when the meanings of some labels change; only they are asked again."""

from __future__ import annotations

from collections.abc import Container, Sequence

from freeal.types import Annotation, Decision

_PLAUSIBLE = 0.05


def changeable(
    annotations: Sequence[Annotation], decisions: Sequence[Decision], *, labels: Sequence[str], changed: Container[str]
) -> list[int]:
    """Pool indices, in order: a voice gave one of the `changed` labels, or might as well have.

    How sure they are does not matter: they were sure of a label that meant something else. What a person labelled is
    settled and not among them.
    """
    return [
        index
        for index, (note, decision) in enumerate(zip(annotations, decisions, strict=True))
        if decision.source != "corrected" and _touches(note, decision, labels, changed)
    ]


def _touches(note: Annotation, decision: Decision, labels: Sequence[str], changed: Container[str]) -> bool:
    if any(said in changed for said in (decision.llm_label, decision.student_label, decision.label) if said):
        return True
    if note.distribution is not None:
        pairs = zip(labels, note.distribution, strict=True)
        return any(mass >= _PLAUSIBLE and label in changed for label, mass in pairs)
    return any(label in changed for label in note.alternatives)
