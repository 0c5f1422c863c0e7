"""What the student says of a window: each text it has not met lately is scored, once."""

from __future__ import annotations

import dataclasses
import functools
from typing import Protocol

import numpy as np

from freeal.aggregation import label_choice
from freeal.prediction.row_windows import Window
from freeal.prediction.text_cache import Answer, Memory
from freeal.student.protocols import Student
from freeal.types import Kind


@dataclasses.dataclass(frozen=True)
class Scores:
    """By distinct text of a window: `proba` float32 [texts, labels], `cut` bool [texts], and what `kind` of labels they
    are makes of them: the position of the label, int [texts], and its probability."""

    proba: np.ndarray
    cut: np.ndarray
    kind: Kind = "single"

    @functools.cached_property
    def chosen(self) -> np.ndarray:
        """int64 [texts]."""
        return label_choice.chosen(self.proba, self.kind)

    @functools.cached_property
    def confidence(self) -> np.ndarray:
        """float32 [texts]."""
        return label_choice.confidence(self.proba, self.chosen)


class ScoreSource(Protocol):
    """What others have computed, in the order of the rows."""

    def take(self, window: Window) -> Scores:
        """Scores in the order of `window.texts`: those of the next rows."""


def score(window: Window, student: Student, memory: Memory, *, kind: Kind = "single") -> Scores:
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
    return Scores(proba, cut, kind)
