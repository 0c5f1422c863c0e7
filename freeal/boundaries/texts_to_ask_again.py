"""Which texts can get another label when the meanings of some labels change; only they are asked again."""

from __future__ import annotations

from collections.abc import Container, Sequence

from freeal.boundaries.label_changes import LabelChanges
from freeal.types import Annotation, Decision

_PLAUSIBLE = 0.05
UNSURE = 0.9
"""A label that is added and comes from no other may be that of any text of which no voice is surer than this."""


def texts_with_changed_labels(
    annotations: Sequence[Annotation], decisions: Sequence[Decision], *, labels: Sequence[str], changed: Container[str]
) -> list[int]:
    """Pool indices, in order: a voice gave one of the `changed` labels, or might as well have.

    How sure they are does not matter: they were sure of a label that meant something else. What a person labelled is
    settled and not among them.
    """
    return [
        index
        for index, (note, decision) in enumerate(zip(annotations, decisions, strict=True))
        if decision.source != "corrected" and _touches_changed_label(note, decision, labels, changed)
    ]


def _touches_changed_label(
    note: Annotation, decision: Decision, labels: Sequence[str], changed: Container[str]
) -> bool:
    if any(said in changed for said in (decision.llm_label, decision.student_label, decision.label) if said):
        return True
    if note.distribution is not None:
        pairs = zip(labels, note.distribution, strict=True)
        return any(mass >= _PLAUSIBLE and label in changed for label, mass in pairs)
    return any(label in changed for label in note.alternatives)


def texts_opened_by_changes(
    changes: LabelChanges,
    annotations: Sequence[Annotation],
    decisions: Sequence[Decision],
    *,
    labels: Sequence[str],
) -> list[int]:
    """Pool indices of the version's texts that can get another label, in order. `labels` are its own."""
    again = {*changes.split, *changes.removed}
    again |= {old for old in labels if changes.now(old) in changes.redefined}
    again |= {name for new in changes.split.values() for name in new if name in labels}
    touched = set(texts_with_changed_labels(annotations, decisions, labels=labels, changed=again)) if again else set()
    if changes.added:
        unsure = (index for index, one in enumerate(decisions) if one.source != "corrected" and _is_unsure(one))
        touched |= set(unsure)
    return sorted(touched)


def _is_unsure(one: Decision) -> bool:
    return one.confidence < UNSURE or one.llm_label != one.student_label
