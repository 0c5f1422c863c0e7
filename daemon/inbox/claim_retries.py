"""Files that could not be taken: tried again with growing intervals, and visible meanwhile. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from daemon.inbox.file_sightings import Sighting
from daemon.inbox.pairing import Waiting

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 300.0
"""Somebody mends permissions or a disk within minutes; a share that is away for a night costs little to ask for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file could not be taken, how often in a row, and when (steady seconds) it is tried again."""

    sighting: Sighting
    reason: str
    tries: int
    again_at: float


class Refusals:
    """Remembers them by the file's name, as `Waiting` has it."""

    def __init__(self) -> None:
        self._known: dict[str, Refusal] = {}

    def __len__(self) -> int:
        return len(self._known)

    def holds(self, name: str, sighting: Sighting, *, now: float) -> bool:
        """Whether a file is to be left alone for now. One that changed since is tried at once."""
        refusal = self._known.get(name)
        return refusal is not None and refusal.sighting == sighting and now < refusal.again_at

    def note_refusal(self, name: str, sighting: Sighting, reason: str, *, now: float) -> Refusal:
        """Write down that a file could not be taken. `tries` of the answer is 1 when that is news."""
        before = self._known.get(name)
        is_news = before is None or before.reason != reason
        tries = 1 if before is None or is_news else before.tries + 1
        wait = min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(tries - 1, 16))
        refusal = self._known[name] = Refusal(sighting, reason, tries, now + wait)
        return refusal

    def forget(self, name: str) -> None:
        """A file was taken after all."""
        self._known.pop(name, None)

    def keep(self, names: Collection[str]) -> None:
        """Forget the files that are no longer there, or no longer ready."""
        self._known = {name: refusal for name, refusal in self._known.items() if name in names}

    @property
    def next_at(self) -> float | None:
        """When (steady seconds) the next of them is tried again; None when there is none."""
        return min((refusal.again_at for refusal in self._known.values()), default=None)

    def waiting(self) -> tuple[Waiting, ...]:
        """Each of them with its reason, by name."""
        return tuple(
            Waiting(name, f"cannot be taken: {refusal.reason}; mend that, it is tried again", refusal.again_at)
            for name, refusal in sorted(self._known.items())
        )
