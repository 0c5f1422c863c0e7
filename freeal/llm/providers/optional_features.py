"""What a server does not take, found out by trying: whatever status and words it refuses with.

A refusal that names a part of the request leaves that part out. One that names none may mean any of them, or the row:
the same request is sent bare, and where that is answered, the parts are put back one by one with the calls that follow.
Once a request of a form was answered, a refusal that names nothing is about its row.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping

from freeal.errors import LlmError, SpendCapError, TransientError
from freeal.llm.errors_from_responses import shortened

_STATUSES = frozenset({400, 403, 404, 405, 406, 415, 422, 500, 501})
"""What servers have been seen to refuse an unknown part of a request with."""

_PATIENCE = 4
"""A 500 that names nothing is an accident at first; from the so many-th in a row on, it may be about the request."""


@dataclasses.dataclass(frozen=True)
class Feature:
    """A part of a request that a server may not know: its `name` for people, the `words` (a pattern) that speak of it
    `unless` others stand beside them, and what goes `without` it.

    `is_last_resort`: given up only where all others were and it did not help.
    """

    name: str
    words: str
    without: str
    unless: str = r"(?!)"
    is_last_resort: bool = False

    def is_named_in(self, message: str) -> bool:
        """Whether a refusal speaks of it."""
        flags = re.IGNORECASE | re.DOTALL
        return bool(re.search(self.words, message, flags)) and not re.search(self.unless, message, flags)


class FeatureSearch:
    """What one server takes, as far as it is known. `say` is told of each part that is left out for good."""

    def __init__(self, features: Mapping[str, Feature], say: Callable[[str], None]) -> None:
        self._features = features
        self._say = say
        self._refused: set[str] = set()
        self._suspected: list[str] = []
        self._answered: set[tuple[frozenset[str], frozenset[str]]] = set()
        self._last_words = ""
        self._errors_in_a_row = 0

    @property
    def left_out(self) -> frozenset[str]:
        """What no request holds for now."""
        return frozenset(self._refused).union(self._suspected)

    def next_try(self, optional: frozenset[str]) -> frozenset[str]:
        """What the next request should leave out: all that is left out, but for one suspect that is tried again."""
        tried = next((name for name in self._suspected if name in optional), None)
        return self.left_out - {tried}

    def answered(self, optional: frozenset[str], without: frozenset[str]) -> None:
        """A request with these parts, less those, was answered."""
        self._errors_in_a_row = 0
        self._answered.add((optional, without & optional))
        self._suspected = [name for name in self._suspected if name in without or name not in optional]

    def found_by_leaving_out(self, optional: frozenset[str], without: frozenset[str], words: str) -> None:
        """A request that was refused with `words` was answered once these were left out: any of them may be why."""
        self._last_words = words
        fresh = [name for name in sorted(without & optional) if name not in self._refused | set(self._suspected)]
        last = [name for name in fresh if self._features[name].is_last_resort]
        for name in last:  # it was given up only after the others had not helped
            self._give_up_feature(name, words)
        self._suspected += [name for name in fresh if name not in last]
        self._answered.add((optional, without & optional))

    def learn_from_refusal(self, error: LlmError, optional: frozenset[str], without: frozenset[str]) -> bool:
        """Whether a refusal tells what to leave out, so that asking again may help; it then is."""
        if not _may_be_about_the_request(error):
            return False
        held = optional - without
        tried = held.intersection(self._suspected)
        if held & self._refused or len(tried) > 1:
            return True  # another call has learned something since this one was sent
        to_blame = self.named(error) & held or tried
        for name in sorted(to_blame):
            self._give_up_feature(name, error.said or error.problem)
        return bool(to_blame)

    def may_search(self, error: LlmError, optional: frozenset[str], without: frozenset[str]) -> bool:
        """Whether sending the same request bare may help."""
        if not _may_be_about_the_request(error) or not optional - without:
            return False
        if (optional, without & optional) in self._answered:
            return False
        if isinstance(error, TransientError):
            self._errors_in_a_row += 1
            return self._errors_in_a_row >= _PATIENCE
        return True

    def bare_forms(self, optional: frozenset[str], without: frozenset[str]) -> Iterator[frozenset[str]]:
        """What to leave out, less at first."""
        last = {name for name in optional if self._features[name].is_last_resort}
        first = without | (optional - last)
        if first != without:
            yield first
        if last - without:
            yield without | optional

    def named(self, error: LlmError) -> frozenset[str]:
        """The parts that a refusal speaks of."""
        said = error.said or error.problem
        return frozenset(name for name, feature in self._features.items() if feature.is_named_in(said))

    def leave_out(self, error: LlmError) -> bool:
        """Leave out for good what a refusal speaks of; whether it spoke of any part."""
        named = self.named(error)
        for name in named:
            self._give_up_feature(name, error.said or error.problem)
        return bool(named)

    def _give_up_feature(self, name: str, words: str) -> None:
        self._suspected = [suspect for suspect in self._suspected if suspect != name]
        if name not in self._refused:
            self._refused.add(name)
            feature = self._features[name]
            self._say(f"the server does not take {feature.name}, so {feature.without}; it says: {shortened(words)}")


def _may_be_about_the_request(error: LlmError) -> bool:
    return error.status in _STATUSES and not isinstance(error, SpendCapError)
