"""What is known of a pool before its first question: an earlier version's answers, and labels that a person gave."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from freeal.text.joined_labels import parts
from freeal.types import Annotation, Demonstration, Kind, Status


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """Nothing, for a new job.

    `annotations` are an earlier version's, one per pool index (a text added since has Status.NOT_ASKED), and
    `demonstrations` those its student chose; `confirmed` maps a pool index to the label a person gave, `taught` are
    those of them that the table held already (freeal/pool/teach_evaluate_split.py). A confirmed text is never asked
    about, always learned from, and its label is final.
    """

    annotations: Sequence[Annotation] = ()
    demonstrations: Sequence[Demonstration] = ()
    confirmed: Mapping[int, str] = dataclasses.field(default_factory=dict)
    taught: Mapping[int, str] = dataclasses.field(default_factory=dict)
    open_texts: frozenset[int] = frozenset()
    """Texts whose annotation is asked for again in the first round."""
    form: str | None = None
    """The form (llm.form) in which the earlier version's language model was asked, where it scores labels."""

    @property
    def corrected(self) -> dict[int, str]:
        """The confirmed labels that are a person's corrections, not the table's."""
        return {index: label for index, label in self.confirmed.items() if self.taught.get(index) != label}

    def with_known_labels(
        self, annotations: Sequence[Annotation], labels: Sequence[str], kind: Kind = "single"
    ) -> list[Annotation]:
        """The annotations of the whole pool, with what a person said in its place."""
        return [
            note if (label := self.confirmed.get(note.index)) is None else _said(note, label, labels, kind)
            for note in annotations
        ]

    def mask_of_labelled(self, size: int) -> np.ndarray | None:
        """Bool [size]: which pool texts a person labelled; None where it is none."""
        if not self.confirmed:
            return None
        mask = np.zeros(size, dtype=bool)
        mask[list(self.confirmed)] = True
        return mask


NOTHING_KNOWN = Known()


def _said(note: Annotation, label: str, labels: Sequence[str], kind: Kind) -> Annotation:
    certain = tuple(float(name in parts(label, kind)) for name in labels)
    return Annotation(note.index, label, 1.0, (Status.CORRECTED,), note.round, distribution=certain)
