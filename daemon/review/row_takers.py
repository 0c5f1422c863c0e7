"""Who has which row before them just now, so that two people are not shown the same one. In memory: after a restart a
page that is loaded again takes its row again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from daemon.review.review_log import Person

TAKEN_SECONDS = 300.0
"""After so long without a sign of life a row is anybody's."""
_MOST = 5_000

Place = tuple[str, str, str]
"""Model, kind, key."""


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """By whom, and since when (seconds since 1970)."""

    person: Person
    since: float


class RowTakers:
    """Everything that is taken. Not for several threads at once: call it in the event loop."""

    def __init__(self, *, steady: Callable[[], float], wall: Callable[[], float]) -> None:
        self._steady, self._wall = steady, wall
        self._taken: dict[Place, tuple[Taken, float]] = {}

    def take_row(self, model: str, kind: str, key: str, person: Person) -> None:
        """This person looks at the row now, and at nothing else of its kind."""
        now = self._steady()
        mine = self._rows_taken_by(model, kind, person)
        since = self._wall()
        for place in mine:
            taken, _ = self._taken.pop(place)
            since = taken.since if place[2] == key else since
        self._drop_old(now)
        self._taken[model, kind, key] = (Taken(person, since), now)

    def release(self, model: str, kind: str, person: Person) -> None:
        """This person is done with what they have of this kind."""
        for place in self._rows_taken_by(model, kind, person):
            del self._taken[place]

    def other_taker(self, model: str, kind: str, key: str, person: Person) -> Taken | None:
        """Who else has the row."""
        found = self._taken.get((model, kind, key))
        if found is None or found[0].person.id == person.id or self._steady() - found[1] > TAKEN_SECONDS:
            return None
        return found[0]

    def next_free(self, model: str, kind: str, keys: Sequence[str], person: Person) -> str | None:
        """The first of these that nobody else has: this person's own before all others."""
        own = [place[2] for place in self._rows_taken_by(model, kind, person) if place[2] in keys]
        return next((key for key in [*own, *keys] if self.other_taker(model, kind, key, person) is None), None)

    def _rows_taken_by(self, model: str, kind: str, person: Person) -> list[Place]:
        """The rows this person has."""
        return [
            place
            for place, (one, _) in self._taken.items()
            if place[:2] == (model, kind) and one.person.id == person.id
        ]

    def _drop_old(self, now: float) -> None:
        if len(self._taken) < _MOST:
            return
        self._taken = {place: one for place, one in self._taken.items() if now - one[1] <= TAKEN_SECONDS}
