"""What the student says of a window: each text it has not met lately is scored, once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from freeal.aggregation import label_choice
from freeal.prediction.row_windows import Window
from freeal.prediction.text_cache import Answer, Memory
from freeal.student.protocols import Student
from freeal.text import joined_labels
from freeal.types import Kind


@dataclasses.dataclass(frozen=True)
class Scores:
    """By distinct text of a window: `proba` float32 [texts, labels], `cut` bool [texts], and what `kind` of labels they
    are makes of them: the position of the label, int [texts], and its probability. Of several labels a text has those
    that reach their `thresholds` [labels], and the probability is that of exactly these."""

    proba: np.ndarray
    cut: np.ndarray
    kind: Kind = "single"
    thresholds: tuple[float, ...] = ()

    @functools.cached_property
    def chosen(self) -> np.ndarray:
        """int64 [texts]. Raises ValueError where a text may have several labels: see `members`."""
        return label_choice.chosen_positions(self.proba, self.kind)

    @functools.cached_property
    def members(self) -> np.ndarray:
        """Which labels each text has, bool [texts, labels]."""
        if self.kind == "multi":
            return label_choice.members(self.proba, self.thresholds or None)
        return np.asarray(np.arange(self.proba.shape[1]) == self.chosen[:, None])

    @functools.cached_property
    def confidence(self) -> np.ndarray:
        """float [texts]."""
        if self.kind == "multi":
            return label_choice.of_members(self.proba, self.members)
        return label_choice.confidence(self.proba, self.chosen)

    def names(self, place: int, labels: Sequence[str]) -> list[str]:
        """The labels of one text, one unless it may have several."""
        return [name for name, own in zip(labels, self.members[place].tolist(), strict=True) if own]

    def label(self, place: int, labels: Sequence[str]) -> str:
        """The same as it stands in files."""
        names = self.names(place, labels)
        return joined_labels.joined(names) if self.kind == "multi" else names[0]


class ScoreSource(Protocol):
    """What others have computed, in the order of the rows."""

    def take(self, window: Window) -> Scores:
        """Scores in the order of `window.texts`: those of the next rows."""


def score_window(
    window: Window, student: Student, memory: Memory, *, kind: Kind = "single", thresholds: tuple[float, ...] = ()
) -> Scores:
    """Scores in the order of `window.texts`. The student sorts by token length and restores the order."""
    proba = np.empty((len(window.texts), len(student.labels)), dtype=np.float32)
    cut = np.zeros(len(window.texts), dtype=bool)
    missing = []
    for place, key in enumerate(window.keys):
        known = memory.find(key)
        if known is None:
            missing.append(place)
        else:
            proba[place], cut[place] = known.proba, known.cut
    if missing:
        # what was known while the window was read, but has been forgotten since, has no tokens yet
        late = [place for place in missing if place not in window.tokens]
        window.tokens.update(zip(late, student.read([window.texts[place] for place in late]), strict=True))
        tokens = [window.tokens[place] for place in missing]
        proba[missing] = student.score(tokens)
        cut[missing] = [text.cut for text in tokens]
        for place in missing:
            memory.add(window.keys[place], Answer(proba[place], bool(cut[place])))
    return Scores(proba, cut, kind, thresholds)
