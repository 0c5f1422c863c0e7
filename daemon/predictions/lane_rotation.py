"""Which prediction has the next slice of the predict lane, and with which batch size."""

from __future__ import annotations

import collections
import math

from daemon.journal.prediction_record import Prediction

MOST_HALVINGS = 1
"""A prediction whose process was killed is tried once more, with half the batch."""


class Rotation:
    """What was never begun comes first, in the order it came: most files are small and done within their first slice.

    The others take turns, so that a huge file delays a tiny one by a slice, and another huge one no more than it must.
    """

    def __init__(self) -> None:
        self._fresh: collections.deque[Prediction] = collections.deque()
        self._begun: collections.deque[Prediction] = collections.deque()
        self._resting: list[tuple[float, Prediction, str]] = []
        self._halvings: collections.Counter[str] = collections.Counter()

    def __len__(self) -> int:
        """How many could have a slice now."""
        return len(self._fresh) + len(self._begun)

    def add(self, prediction: Prediction) -> None:
        """A claimed one."""
        self._fresh.append(prediction)

    def next(self) -> Prediction:
        """Take the next one out; `LookupError` when there is none."""
        return self._fresh.popleft() if self._fresh else self._begun.popleft()

    def again(self, prediction: Prediction) -> None:
        """Its slice is over and it is not: back behind the others."""
        self._begun.append(prediction)

    def rest(self, prediction: Prediction, *, until: float, reason: str = "") -> None:
        """Not before `until` (steady seconds): it waits for what the machine lacks."""
        self._resting.append((until, prediction, reason))

    def wake_rested(self, now: float) -> None:
        """Whoever has rested for long enough has its turn again."""
        for until, prediction, _ in self._resting:
            if until <= now:
                self.again(prediction)
        self._resting = [entry for entry in self._resting if entry[0] > now]

    @property
    def resting(self) -> int:
        """How many rest."""
        return len(self._resting)

    @property
    def wakes_at(self) -> float:
        """When the next one has rested for long enough (steady seconds); infinite when none rests."""
        return min((until for until, _, _ in self._resting), default=math.inf)

    def waiting(self) -> list[tuple[Prediction, str]]:
        """Those that rest, each with the reason."""
        return [(prediction, reason) for _, prediction, reason in self._resting]

    def halve_batches(self, prediction: Prediction) -> bool:
        """After its process was killed: whether it is to be tried once more. If so it is in the rotation again."""
        if self._halvings[prediction.id] >= MOST_HALVINGS:
            return False
        self._halvings[prediction.id] += 1
        self.again(prediction)
        return True

    def divisor(self, prediction_id: str) -> int:
        """What batch size and chunk are to be divided by."""
        return int(2 ** self._halvings[prediction_id])

    def take_out_of_rotation(self, prediction_id: str) -> Prediction | None:
        """Remove one that is to end otherwise; None when it is not here."""
        for queue in (self._fresh, self._begun):
            for prediction in queue:
                if prediction.id == prediction_id:
                    queue.remove(prediction)
                    return prediction
        for entry in self._resting:
            if entry[1].id == prediction_id:
                self._resting.remove(entry)
                return entry[1]
        return None

    def forget(self, prediction_id: str) -> None:
        """It is over."""
        self._halvings.pop(prediction_id, None)
