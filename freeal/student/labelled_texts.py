"""What a student is taught: texts with labels of which some are wrong, and what says how far to believe them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Weigh = Callable[["np.ndarray"], "np.ndarray"]
"""From a student's out-of-fold logits [n, labels] to what it is to be taught, float [n, labels], rows of sum 1."""


@dataclasses.dataclass(frozen=True, slots=True)
class LabelledTexts:
    """What a student is taught, indexed alike.

    `label_ids` [n]: NO_LABEL where unknown, and some of the others are wrong. `candidates` float [n, labels]: weights
    of the labels a text may have, its own among them, 0 for all others; the student resolves which one it is
    (partial-label learning). `paraphrases` [n]: the same in other words, for consistency; "" where there is none.
    `confirmed` bool [n]: labels a person has given; they are always learned from and never judged. `groups` int [n]:
    texts of one group are nearly the same, and no part of them is learned from where the rest is used to judge.
    `weigh` says what is taught in the place of labels; None: the labels as they are. `weigh_of` gives the same for
    the texts at some rows alone, int [m]. `judged`: whether encoders may be trained to judge labels that they have
    not learned, in as long as the training takes; linear heads judge in any case.

    Where a text may have several labels, `label_ids` is an int array [n, labels] of 0 and 1, rows of NO_LABEL where
    nothing is known, and `weigh_each` weighs each label by itself, from logits [n, 2] of no and yes; None: as they are.
    """

    texts: Sequence[str]
    label_ids: Sequence[int] | np.ndarray
    candidates: np.ndarray | None = None
    paraphrases: Sequence[str] | None = None
    confirmed: np.ndarray | None = None
    groups: np.ndarray | None = None
    weigh: Weigh | None = None
    weigh_of: Callable[[np.ndarray], Weigh] | None = None
    weigh_each: Sequence[Weigh] | None = None
    judged: bool = True

    def question_of_label(self, label: int) -> LabelledTexts:
        """Of several labels one alone: the same texts with the ids 0 (no) and 1 (yes)."""
        import numpy as np

        ids = np.asarray(self.label_ids)[:, label]
        weigh = None if self.weigh_each is None else self.weigh_each[label]
        return dataclasses.replace(self, label_ids=ids.tolist(), weigh=weigh, weigh_each=None)

    def part(self, rows: np.ndarray) -> LabelledTexts:
        """The texts at `rows`, int [m], in that order, as if there were no others. Without `weigh_of` they are taught
        their labels as they are."""
        return LabelledTexts(
            [self.texts[row] for row in rows],
            [self.label_ids[row] for row in rows],
            candidates=None if self.candidates is None else self.candidates[rows],
            paraphrases=None if self.paraphrases is None else [self.paraphrases[row] for row in rows],
            confirmed=None if self.confirmed is None else self.confirmed[rows],
            groups=None if self.groups is None else self.groups[rows],
            weigh=None if self.weigh_of is None else self.weigh_of(rows),
            judged=self.judged,
        )
