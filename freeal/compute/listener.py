"""Whom a long computation tells how far it is, and what a user should know of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

OnStep = Callable[[int, int], None]
"""Called with (done, total) training steps."""


def unwatched(done: int, total: int) -> None:
    """An `OnStep` for whoever does not want to know."""


def unheard(message: str) -> None:
    """An `on_notice` for whoever does not want to know."""


@dataclasses.dataclass(frozen=True, slots=True)
class Listener:
    """Whom a trainer tells what happens beside its fits, from the thread it works in.

    `on_embedded` is called with (done, total) texts while `Trainer.embed` works, and may raise to stop it; `on_notice`
    with what a user should know.
    """

    on_embedded: OnStep = unwatched
    on_notice: Callable[[str], None] = unheard


class Steps:
    """An `OnStep` that can say again how far it is: a sign of life while something else than a step is computed."""

    def __init__(self, on_step: OnStep) -> None:
        self._on_step = on_step
        self._last = (0, 1)

    def __call__(self, done: int, total: int) -> None:
        """A step is done."""
        self._last = (done, total)
        self._on_step(done, total)

    def still(self, done: int, total: int) -> None:
        """Something beside the steps goes on; how far that is, is not told."""
        del done, total
        self._on_step(*self._last)


class PartOfSteps:
    """An `OnStep` that tells its steps as those of one of several equal parts of a whole."""

    _UNITS = 1_000
    """Of one part: parts may have other numbers of steps."""

    def __init__(self, on_step: OnStep, *, place: int, of: int) -> None:
        """The part at `place`, from 0."""
        self._on_step, self._place, self._of = on_step, place, of

    def __call__(self, done: int, total: int) -> None:
        """A step is done."""
        share = done / total if total else 0.0
        self._on_step(int(self._UNITS * (self._place + share)), self._UNITS * self._of)
